package io.balena.engine.runtime.external;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Runs a program of the host as a child of this process, and waits for its end. No descriptors but its streams are inherited.
final class HostProgram {
    private static final int SIGKILL = 9;
    private static final int SIG_SETMASK = 2;
    private static final int PR_SET_PDEATHSIG = 1;
    private static final int FIRST_PASSED = 8;
    private static final String DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// It could not be executed; the message says so in Go's words.
    static final class NotExecuted extends IOException {
        private static final long serialVersionUID = 1L;

        NotExecuted(String message) {
            super(message);
        }
    }

    private HostProgram() {}

    /// @param command the first is a path, or a name that is looked for in `PATH`
    /// @return its exit code, or 128 + the signal that ended it
    /// @throws NotExecuted if it was not run at all
    /// @throws IOException when it took longer than `timeoutMillis`, and was killed
    static int run(List<String> command, Fd stdin, Fd stdout, Fd stderr, int timeoutMillis) throws IOException {
        // Their numbers must not be those they are to get.
        try (var program = new SyscallProgram();
                var in = stdin.duplicate(FIRST_PASSED);
                var out = stdout.duplicate(FIRST_PASSED);
                var err = stderr.duplicate(FIRST_PASSED)) {
            program.add(Syscall.DUP3, "dup3", "stdin", in.number(), 0, 0);
            program.add(Syscall.DUP3, "dup3", "stdout", out.number(), 1, 0);
            program.add(Syscall.DUP3, "dup3", "stderr", err.number(), 2, 0);
            program.add(Syscall.CLOSE_RANGE, "close_range", null, 3, 0xFFFFFFFFL, 0);
            // What this process began and nobody waits for any more must not be finished behind the back of who comes after it.
            program.add(Syscall.PRCTL, "prctl", "PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, SIG_SETMASK, program.space(8), 0, 8);
            int last = addExecutions(program, command);
            try (var child = program.spawn(0)) {
                int code = await(child, command.getFirst(), timeoutMillis);
                long result = program.result(last);
                if (result != SyscallProgram.NOT_DONE) throw notExecuted(command.getFirst(), (int) -result);
                return code;
            }
        }
    }

    /// @return the last of them
    private static int addExecutions(SyscallProgram program, List<String> command) {
        List<String> candidates = candidates(command.getFirst());
        long args = program.texts(command);
        long env = program.texts(environment());
        int row = 0;
        for (int i = 0; i < candidates.size(); i++) {
            String candidate = candidates.get(i);
            row = program.add(Syscall.EXECVE, "exec", candidate, program.text(candidate), args, env);
            if (i < candidates.size() - 1) program.mayFail(row);
        }
        return row;
    }

    private static List<String> candidates(String program) {
        if (program.indexOf('/') >= 0) return List.of(program);
        List<String> candidates = new ArrayList<>();
        for (String folder : System.getenv().getOrDefault("PATH", DEFAULT_PATH).split(":")) {
            if (!folder.isEmpty()) candidates.add(folder + "/" + program);
        }
        return candidates;
    }

    private static List<String> environment() {
        List<String> environment = new ArrayList<>();
        for (Map.Entry<String, String> variable : System.getenv().entrySet()) {
            environment.add(variable.getKey() + "=" + variable.getValue());
        }
        if (!System.getenv().containsKey("PATH")) environment.add("PATH=" + DEFAULT_PATH);
        return environment;
    }

    private static int await(PidFd child, String program, int timeoutMillis) throws IOException {
        boolean ended = child.awaitEnded(timeoutMillis);
        if (!ended) child.signal(SIGKILL);
        int code = child.awaitEnd();
        if (!ended) throw new IOException(program + " did not end within " + timeoutMillis / 1000 + " s");
        return code;
    }

    private static NotExecuted notExecuted(String program, int errno) {
        boolean missing = errno == Errno.ENOENT.number();
        if (missing && program.indexOf('/') < 0) return new NotExecuted("exec: \"" + program + "\": executable file not found in $PATH");
        String why = missing ? "no such file or directory"
                : errno == Errno.EACCES.number() ? "permission denied"
                : Errno.of(errno).toString();
        return new NotExecuted("fork/exec " + program + ": " + why);
    }
}
