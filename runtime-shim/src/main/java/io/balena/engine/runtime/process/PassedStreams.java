package io.balena.engine.runtime.process;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.namespace.IdMappings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The descriptors a child is to find at 0, 1 and 2, and how many after them, under numbers of this process that stay clear of the child's own.
public final class PassedStreams implements AutoCloseable {
    private final Fd[] streams;
    private final int inherited;
    private final boolean[] copied = new boolean[3];
    private final boolean[] owned = new boolean[3];

    /// @param least lowest number the child can be given
    /// @param inherited how many descriptors from 3 on it finds where we have them
    public PassedStreams(StandardStreams streams, int least, int inherited) throws IOException {
        this.inherited = inherited;
        // A switch over patterns would be linked at run time, which is slow.
        this.streams = streams instanceof StandardStreams.Pipes pipes
                ? new Fd[] {pipes.stdin(), pipes.stdout(), pipes.stderr()}
                : null;
        if (this.streams == null) {
            owned[0] = true;
            return;
        }
        for (int i = 0; i < 3; i++) {
            owned[i] = isPipe(this.streams[i]);
            if (this.streams[i].number() < least) {
                this.streams[i] = this.streams[i].duplicate(least);
                copied[i] = true;
            }
        }
    }

    /// A pipe may be given to the container's user; `/dev/null` is everybody's.
    private static boolean isPipe(Fd fd) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.number())).toString().startsWith("pipe:");
    }

    boolean areTerminal() {
        return streams == null;
    }

    int number(int stream) {
        return streams[stream].number();
    }

    int inherited() {
        return inherited;
    }

    /// Which of the three may be given to the container's user.
    public boolean[] owned() {
        return owned;
    }

    /// Gives pipes to the root of a user namespace, to whom they are nobody's else.
    public void give(IdMappings mappings) throws IOException {
        if (areTerminal()) return;
        for (int i = 0; i < 3; i++) {
            if (owned[i]) streams[i].changeOwner(mappings.hostRoot(), mappings.hostRootGroup());
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < 3; i++) {
            if (copied[i]) streams[i].close();
        }
    }
}
