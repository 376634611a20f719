package io.balena.engine.runtime.process;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import java.util.ArrayList;
import java.util.List;

/// The file a program's name means inside the container: the child looks, and while it waits we choose.
final class Executable {
    private static final int X_OK = 1;
    private static final int OPEN_FOLDER = OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC;

    private final SyscallProgram program;
    private final String name;
    private final List<String> candidates = new ArrayList<>();
    private int firstLookup;
    private int row;

    /// @throws ContainerFailure when there is no name
    Executable(SyscallProgram program, String name) throws ContainerFailure {
        if (name.isEmpty()) {
            throw new ContainerFailure(ContainerFailure.Kind.NOT_FOUND, "exec: \"\": executable file not found in $PATH");
        }
        this.program = program;
        this.name = name;
    }

    /// Looks at every file the program's name may mean, as the container's user and from its working folder; which one it is, is
    /// decided by [#choose] while the child waits.
    void addLookups(List<String> environment) {
        if (name.indexOf('/') >= 0) {
            candidates.add(name);
        } else {
            String search = searchPath(environment);
            for (int from = 0; from <= search.length(); ) {
                int colon = search.indexOf(':', from);
                if (colon < 0) colon = search.length();
                String folder = search.substring(from, colon);
                // An empty entry means the working folder, where only fools look for programs; Go does not any more.
                if (!folder.isEmpty()) candidates.add(folder + "/" + name);
                from = colon + 1;
            }
        }
        firstLookup = program.next();
        for (int i = 0; i < candidates.size(); i++) {
            String candidate = candidates.get(i);
            long path = program.text(candidate);
            program.mayFail(program.add(Syscall.FACCESSAT, "access", candidate, AT_FDCWD, path, X_OK));
            program.mayFail(program.add(Syscall.OPENAT, "open", candidate, AT_FDCWD, path, OPEN_FOLDER));
        }
    }

    private static String searchPath(List<String> environment) {
        String path = "";
        for (int i = 0; i < environment.size(); i++) {
            String variable = environment.get(i);
            if (variable.startsWith("PATH=")) path = variable.substring(5);
        }
        return path;
    }

    /// The row that ends all rows, if it succeeds.
    void addExecution(List<String> args, List<String> environment) {
        row = program.add(Syscall.EXECVE, "exec", name, 0, program.texts(args), program.texts(environment));
    }

    /// The row of [#addExecution].
    int row() {
        return row;
    }

    /// Decides which file is executed, once the child waits after [#addLookups].
    ///
    /// @throws ContainerFailure when none can be; worded as runc does
    void choose() throws ContainerFailure {
        for (int i = 0; i < candidates.size(); i++) {
            long access = program.result(firstLookup + 2 * i);
            long folder = program.result(firstLookup + 2 * i + 1);
            if (access == 0 && folder < 0) {
                program.argument(row, 0, program.argument(firstLookup + 2 * i, 1));
                return;
            }
        }
        if (name.indexOf('/') < 0) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, "exec: \"" + name + "\": executable file not found in $PATH");
        }
        throw unusable(name, program.result(firstLookup), program.result(firstLookup + 1) >= 0);
    }

    private static ContainerFailure unusable(String name, long access, boolean folder) {
        String quoted = "exec: \"" + name + "\": ";
        if (folder) return new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, quoted + "permission denied");
        return switch ((int) -access) {
            case 2 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": no such file or directory");
            case 20 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": not a directory");
            case 40 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": too many levels of symbolic links");
            default -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, quoted + "permission denied");
        };
    }

    /// Why its execve failed.
    ContainerFailure failure(ErrnoException cause) {
        return notExecuted("exec " + name, cause);
    }

    /// What an execve that failed means.
    ///
    /// @param attempt e.g. `exec sh`
    static ContainerFailure notExecuted(String attempt, ErrnoException cause) {
        String path = attempt + ": ";
        return switch (cause.errno()) {
            // The file was found before, so what is missing is the interpreter its first line or ELF header names.
            case ENOENT -> new ContainerFailure(ContainerFailure.Kind.NOT_FOUND, path + "no such file or directory");
            case ENOEXEC -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "exec format error");
            case EACCES -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "permission denied");
            case E2BIG -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "argument list too long");
            default -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, cause.getMessage());
        };
    }
}
