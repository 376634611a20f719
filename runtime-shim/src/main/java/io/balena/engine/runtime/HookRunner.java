package io.balena.engine.runtime;

import com.fasterxml.jackson.core.JsonFactory;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Runs the programs that a spec wants run at certain points of a container's life.
///
/// @param folder where their input and output are kept while they run
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md#posix-platform-hooks">OCI runtime-spec, hooks</a>
record HookRunner(String id, Path bundle, Map<String, String> annotations, Path folder) {
    private static final JsonFactory JSON = new JsonFactory();
    private static final int FIRST_PASSED = 8;
    private static final int SIGKILL = 9;

    /// @param container whose mount and other namespaces the hooks join; null when they run in the runtime's
    /// @throws ContainerFailure when one fails, ends with an error or takes longer than it may; the others are not run then
    void run(String point, List<RuntimeSpec.Hook> hooks, String status, int pid, PidFd container) throws IOException {
        if (hooks.isEmpty()) return;
        Path input = folder.resolve("hook-input");
        Path output = folder.resolve("hook-output");
        try {
            Files.write(input, state(status, pid));
            for (int i = 0; i < hooks.size(); i++) {
                Files.write(output, new byte[0]);
                runOne("error running " + point + " hook #" + i + ": ", hooks.get(i), input, output, container);
            }
        } finally {
            Files.deleteIfExists(input);
            Files.deleteIfExists(output);
        }
    }

    private static void runOne(String prefix, RuntimeSpec.Hook hook, Path input, Path output, PidFd container)
            throws IOException {
        try (var in = passed(input);
                var out = passed(output);
                var program = new SyscallProgram();
                var member = container == null ? null : container.fd().duplicate(FIRST_PASSED)) {
            program.add(Syscall.DUP3, "dup3", "stdin", in.number(), 0, 0);
            program.add(Syscall.DUP3, "dup3", "stdout", out.number(), 1, 0);
            program.add(Syscall.DUP3, "dup3", "stderr", out.number(), 2, 0);
            if (member != null) {
                program.add(Syscall.DUP3, "dup3", "pidfd", member.number(), 3, OpenFlags.CLOEXEC);
                program.add(Syscall.CLOSE_RANGE, "close_range", null, 4, 0xFFFFFFFFL, 0);
                program.add(Syscall.SETNS, "join namespaces", null, 3, Namespaces.joinable(container.pid()));
                if (Namespaces.isInOtherUserNamespace(container.pid())) UserNamespace.addBecomeRoot(program);
            } else {
                program.add(Syscall.CLOSE_RANGE, "close_range", null, 3, 0xFFFFFFFFL, 0);
            }
            program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, 2, program.space(8), 0, 8);
            List<String> args = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
            int execute = program.add(
                    Syscall.EXECVE, "exec", hook.path(), program.text(hook.path()), program.texts(args), program.texts(hook.env()));
            try (var child = container == null ? program.spawn(0) : program.spawnIn(container.fd(), 0)) {
                boolean ended = child.awaitEnded(hook.timeout() == null ? -1 : hook.timeout() * 1000);
                if (!ended) child.signal(SIGKILL);
                int code = child.awaitEnd();
                if (!ended) throw failure(prefix + "timeout of " + hook.timeout() + "s exceeded");
                if (code == 127 && program.result(execute) != SyscallProgram.NOT_DONE) {
                    throw failure(prefix + program.failure().getMessage());
                }
                if (code != 0) throw failure(prefix + "exit status " + code + ", output: " + Files.readString(output));
            }
        }
    }

    private static Fd passed(Path file) throws IOException {
        try (var fd = Fd.open(file, OpenFlags.RDWR)) {
            return fd.duplicate(FIRST_PASSED);
        }
    }

    private byte[] state(String status, int pid) throws IOException {
        var bytes = new ByteArrayOutputStream(512);
        try (var json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            json.writeStringField("ociVersion", RuntimeSpec.OCI_VERSION);
            json.writeStringField("id", id);
            json.writeStringField("status", status);
            if (pid > 0) json.writeNumberField("pid", pid);
            json.writeStringField("bundle", bundle.toString());
            if (!annotations.isEmpty()) {
                json.writeObjectFieldStart("annotations");
                for (var annotation : annotations.entrySet()) json.writeStringField(annotation.getKey(), annotation.getValue());
                json.writeEndObject();
            }
            json.writeEndObject();
        }
        return bytes.toByteArray();
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
