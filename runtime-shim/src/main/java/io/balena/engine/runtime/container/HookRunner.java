package io.balena.engine.runtime.container;

import com.fasterxml.jackson.core.JsonFactory;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.namespace.Namespaces;
import io.balena.engine.runtime.namespace.UserNamespace;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Map;

/// Runs the programs that a spec wants run at certain points of a container's life.
///
/// @param folder where their input and output are kept while they run
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md#posix-platform-hooks">OCI runtime-spec, hooks</a>
record HookRunner(String id, Path bundle, Map<String, String> annotations, Path folder) {
    private static final JsonFactory JSON = new JsonFactory();
    static final String INPUT = "hook-input";
    static final String OUTPUT = "hook-output";
    private static final int FIRST_PASSED = 8;
    private static final int SIGKILL = 9;

    /// Makes the process of a hook that runs inside the container.
    interface Launch {
        PidFd of(RuntimeSpec.Hook hook, Fd in, Fd out) throws IOException;
    }

    /// @param folder the hooks are started in
    /// @param container whose mount and other namespaces the hooks join; null when they run in the runtime's
    /// @throws ContainerFailure when one fails, ends with an error or takes longer than it may; the others are not run then
    void run(String point, List<RuntimeSpec.Hook> hooks, String status, int pid, Path folder, PidFd container)
            throws IOException {
        if (hooks.isEmpty()) return;
        runEach(point, hooks, state(status, pid), (prefix, hook, input, output) ->
                runOutside(prefix, hook, input, output, folder, container));
    }

    /// Runs hooks whose programs are the container's own.
    ///
    /// @throws ContainerFailure as [#run]
    void runInside(String point, List<RuntimeSpec.Hook> hooks, String status, int pid, Launch launch) throws IOException {
        if (hooks.isEmpty()) return;
        runEach(point, hooks, state(status, pid), (prefix, hook, input, output) -> {
            try (var in = passed(input); var out = passed(output); var child = launched(prefix, hook, in, out, launch)) {
                awaitSuccess(prefix, hook, child, output);
            }
        });
    }

    private static PidFd launched(String prefix, RuntimeSpec.Hook hook, Fd in, Fd out, Launch launch) throws IOException {
        try {
            return launch.of(hook, in, out);
        } catch (ContainerFailure e) {
            throw failure(prefix + e.getMessage());
        }
    }

    private interface Run {
        void of(String prefix, RuntimeSpec.Hook hook, Path input, Path output) throws IOException;
    }

    private void runEach(String point, List<RuntimeSpec.Hook> hooks, byte[] state, Run run) throws IOException {
        Path input = this.folder.resolve(INPUT);
        Path output = this.folder.resolve(OUTPUT);
        try {
            Files.write(input, state);
            for (int i = 0; i < hooks.size(); i++) {
                Files.write(output, new byte[0]);
                run.of("error running " + point + " hook #" + i + ": ", hooks.get(i), input, output);
            }
        } finally {
            Files.deleteIfExists(input);
            Files.deleteIfExists(output);
        }
    }

    private static void runOutside(
            String prefix, RuntimeSpec.Hook hook, Path input, Path output, Path folder, PidFd container) throws IOException {
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
            // The bundle may be gone when the container is.
            program.mayFail(program.add(Syscall.CHDIR, "chdir", folder, program.text(folder.toString())));
            program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, 2, program.space(8), 0, 8);
            List<String> args = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
            int execute = program.add(
                    Syscall.EXECVE, "exec", hook.path(), program.text(hook.path()), program.texts(args), program.texts(hook.env()));
            try (var child = container == null ? program.spawn(0) : program.spawnIn(container.fd(), 0, Optional.empty())) {
                int code = awaitEnd(prefix, hook, child);
                if (code == 127 && program.result(execute) != SyscallProgram.NOT_DONE) {
                    throw failure(prefix + program.failure().getMessage());
                }
                checkSuccess(prefix, code, output);
            }
        }
    }

    private static void awaitSuccess(String prefix, RuntimeSpec.Hook hook, PidFd child, Path output) throws IOException {
        checkSuccess(prefix, awaitEnd(prefix, hook, child), output);
    }

    private static int awaitEnd(String prefix, RuntimeSpec.Hook hook, PidFd child) throws IOException {
        boolean ended = child.awaitEnded(hook.timeout() == null ? -1 : hook.timeout() * 1000);
        if (!ended) child.signal(SIGKILL);
        int code = child.awaitEnd();
        if (!ended) throw failure(prefix + "timeout of " + hook.timeout() + "s exceeded");
        return code;
    }

    private static void checkSuccess(String prefix, int code, Path output) throws IOException {
        if (code != 0) throw failure(prefix + "exit status " + code + ", output: " + Files.readString(output));
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
