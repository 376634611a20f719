package io.balena.engine.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Kernel parameters below `/proc/sys`. Those below `net` belong to the calling thread's network namespace.
public final class Sysctl {
    private Sysctl() {}

    /// @param name e.g. `net.ipv4.ip_forward`; a link's name goes in as it is, though it may hold dots: see [#ofLink]
    public static boolean exists(String name) {
        return Files.exists(file(name.replace('.', '/')));
    }

    public static String read(String name) throws IOException {
        return Files.readString(file(name.replace('.', '/'))).strip();
    }

    public static void write(String name, String value) throws IOException {
        Files.writeString(file(name.replace('.', '/')), value);
    }

    /// Writes only when that changes something and the kernel has the parameter.
    ///
    /// @return whether it was written
    public static boolean ensure(String name, String value) throws IOException {
        return ensure(file(name.replace('.', '/')), value);
    }

    /// As [#ensure], for a parameter of one link, e.g. (`ipv4`, `balena0`, `route_localnet`).
    public static boolean ensureOfLink(String family, String link, String parameter, String value) throws IOException {
        return ensure(file("net/" + family + "/conf").resolve(link).resolve(parameter), value);
    }

    private static boolean ensure(Path file, String value) throws IOException {
        if (!Files.exists(file) || Files.readString(file).strip().equals(value)) return false;
        Files.writeString(file, value);
        return true;
    }

    private static Path file(String name) {
        return Path.of("/proc/sys", name);
    }
}
