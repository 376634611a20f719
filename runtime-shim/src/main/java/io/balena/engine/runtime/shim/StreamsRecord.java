package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.PipeEnds;
import io.balena.engine.runtime.wire.Protocol;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Which pipes a container has and where its output is logged, kept beside the runtime's state of it: a pipe lives as long as
/// one of its ends is open, and through `/proc` a shim that follows one that died gets ends of it again.
///
/// The file `streams` holds a message of kind [Protocol#CREATE]. A terminal cannot be opened again: it ends
/// with its last master, of which the daemon has one.
final class StreamsRecord {
    private final File stateRoot;

    StreamsRecord(File stateRoot) {
        this.stateRoot = stateRoot;
    }

    /// The shim's ends of the pipes of a process that another shim made.
    record Reopened(Stdio stdio, Optional<Fd> stdin, Fd stdout, Fd stderr) {}

    void save(String containerId, Stdio stdio, Optional<Fd> stdin, Fd stdout, Fd stderr) throws IOException {
        Message.Builder record = Protocol.withStdio(Message.of(Protocol.CREATE), stdio);
        if (stdin.isPresent()) record.text(Protocol.Tag.STDIN_PIPE, nameOfOwn(stdin.get()));
        record.text(Protocol.Tag.STDOUT_PIPE, nameOfOwn(stdout)).text(Protocol.Tag.STDERR_PIPE, nameOfOwn(stderr));
        write(containerId, record);
    }

    /// Of a process with a terminal, whose master the daemon keeps for the next shim.
    void save(String containerId, Stdio stdio) throws IOException {
        write(containerId, Protocol.withStdio(Message.of(Protocol.CREATE), stdio));
    }

    private void write(String containerId, Message.Builder record) throws IOException {
        try (var out = new FileOutputStream(file(containerId))) {
            out.write(record.encode());
        }
    }

    /// @return empty when there is no record of it
    Optional<Stdio> load(String containerId) throws IOException {
        Optional<Message> record = read(containerId);
        return record.isPresent() ? Optional.of(Protocol.stdio(record.get())) : Optional.empty();
    }

    /// @return empty when the process had no pipes, or does not have them any more
    Optional<Reopened> reopen(String containerId, int pid) throws IOException {
        Optional<Message> found = read(containerId);
        if (found.isEmpty()) return Optional.empty();
        Message record = found.get();
        if (record.text(Protocol.Tag.STDOUT_PIPE).isEmpty()) return Optional.empty(); // it has a terminal
        Optional<Fd> stdout = PipeEnds.readEnd(pid, 1, record.text(Protocol.Tag.STDOUT_PIPE));
        Optional<Fd> stderr = PipeEnds.readEnd(pid, 2, record.text(Protocol.Tag.STDERR_PIPE));
        if (stdout.isEmpty() || stderr.isEmpty()) {
            if (stdout.isPresent()) stdout.get().close();
            if (stderr.isPresent()) stderr.get().close();
            return Optional.empty();
        }
        String stdin = record.text(Protocol.Tag.STDIN_PIPE);
        Optional<Fd> writeEnd = stdin.isEmpty() ? Optional.empty() : PipeEnds.writeEnd(pid, 0, stdin);
        return Optional.of(new Reopened(Protocol.stdio(record), writeEnd, stdout.get(), stderr.get()));
    }

    private Optional<Message> read(String containerId) throws IOException {
        File file = file(containerId);
        if (!file.exists()) return Optional.empty();
        byte[] encoded;
        try (var in = new FileInputStream(file)) {
            encoded = in.readAllBytes();
        }
        if (encoded.length <= Message.HEADER_BYTES) return Optional.empty();
        byte[] content = new byte[encoded.length - Message.HEADER_BYTES];
        System.arraycopy(encoded, Message.HEADER_BYTES, content, 0, content.length);
        return Optional.of(Message.parse(content));
    }

    void delete(String containerId) {
        file(containerId).delete();
    }

    private File file(String containerId) {
        return new File(new File(stateRoot, containerId), "streams");
    }

    private static String nameOfOwn(Fd fd) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.number())).toString();
    }
}
