package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The descriptors from 3 on that a caller of the command leaves open for the container's program.
final class InheritedDescriptors {
    private static final int FIRST = 3;
    private static final long CLOEXEC = 02000000;

    private InheritedDescriptors() {}

    /// How many `--preserve-fds` and systemd's `LISTEN_FDS` ask for.
    ///
    /// @throws ContainerFailure when one of them is not open, so that the number may be one of our own files
    static int count(CommandWords words) throws IOException {
        int count = words.number("preserve-fds", 0) + sockets();
        for (int number = FIRST; number < FIRST + count; number++) {
            if (!isInherited(number)) {
                throw new ContainerFailure(ContainerFailure.Kind.SETUP, "cannot preserve file descriptor " + number + ": it is not open");
            }
        }
        return count;
    }

    /// Sockets of systemd's, of which the program is told by its environment.
    static int sockets() {
        String value = System.getenv("LISTEN_FDS");
        try {
            return value == null ? 0 : Math.max(0, Integer.parseInt(value));
        } catch (NumberFormatException _) {
            return 0;
        }
    }

    /// Most of ours close on exec, which what survived our own exec does not; but not the files the JVM itself has open.
    private static boolean isInherited(int number) throws IOException {
        String home = System.getProperty("balena.engine.home", System.getProperty("java.home"));
        Path link = Path.of("/proc/self/fd/" + number);
        if (!Files.isSymbolicLink(link) || Files.readSymbolicLink(link).startsWith(home)) return false;
        Path info = Path.of("/proc/self/fdinfo/" + number);
        if (!Files.exists(info)) return false;
        for (String line : Files.readAllLines(info)) {
            if (line.startsWith("flags:")) return (Long.parseLong(line.substring(6).trim(), 8) & CLOEXEC) == 0;
        }
        return false;
    }
}
