package io.balena.engine.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/// Kernel parameters below `/proc/sys`. Those below `net` belong to the calling thread's network namespace.
///
/// Names are written with dots, e.g. `net.ipv4.ip_forward`. A link's name may itself hold dots; parameters of links have methods
/// of their own.
public final class Sysctl {
    private Sysctl() {}

    /// @throws NoSuchFileException when the kernel has no such parameter
    public static String read(String name) throws IOException {
        return read(file(name));
    }

    public static boolean exists(String name) {
        return Files.exists(file(name));
    }

    /// Writes only when that changes something, and only what the kernel has.
    ///
    /// @return whether it was written
    public static boolean ensure(String name, String value) throws IOException {
        return ensure(file(name), value);
    }

    /// As [#ensure], for a parameter of one link, e.g. (`ipv4`, `balena0`, `route_localnet`).
    public static boolean ensureOfLink(String family, String link, String parameter, String value) throws IOException {
        return ensure(Path.of("/proc/sys/net", family, "conf", link, parameter), value);
    }

    private static boolean ensure(Path file, String value) throws IOException {
        try {
            if (read(file).equals(value)) return false;
            Files.writeString(file, value);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static String read(Path file) throws IOException {
        return KernelFile.text(file).strip();
    }

    private static Path file(String name) {
        return Path.of("/proc/sys", name.replace('.', '/'));
    }
}
