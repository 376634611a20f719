package io.balena.engine.daemon.system;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// What the kernel and the operating system say about this machine.
final class Machine {
    private Machine() {}

    /// As `uname -r`.
    static String kernelVersion() {
        return firstLine(Path.of("/proc/sys/kernel/osrelease"), "");
    }

    static String hostName() {
        return firstLine(Path.of("/proc/sys/kernel/hostname"), "");
    }

    /// In Go's words, as images carry them: `amd64`, `arm64`, `arm`.
    static String goArchitecture() {
        return switch (System.getProperty("os.arch")) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64" -> "arm64";
            case String other -> other.startsWith("arm") ? "arm" : other;
        };
    }

    /// In the kernel's words, as `uname -m`.
    static String kernelArchitecture() {
        return switch (System.getProperty("os.arch")) {
            case "amd64", "x86_64" -> "x86_64";
            case "arm" -> "armv7l";
            case String other -> other;
        };
    }

    /// A value of os-release(5), e.g. `PRETTY_NAME`; empty when it is not there.
    static String osRelease(String key) {
        for (Path file : List.of(Path.of("/etc/os-release"), Path.of("/usr/lib/os-release"))) {
            for (String line : lines(file)) {
                if (!line.startsWith(key + "=")) continue;
                String value = line.substring(key.length() + 1).strip();
                boolean quoted = value.length() > 1 && (value.startsWith("\"") || value.startsWith("'"));
                return quoted ? value.substring(1, value.length() - 1) : value;
            }
        }
        return "";
    }

    /// Bytes of memory the kernel manages.
    static long memoryBytes() {
        for (String line : lines(Path.of("/proc/meminfo"))) {
            if (line.startsWith("MemTotal:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
        return 0;
    }

    static boolean isOne(String file) {
        return firstLine(Path.of(file), "0").equals("1");
    }

    static String firstLine(Path file, String absent) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? absent : lines.getFirst().strip();
    }

    private static List<String> lines(Path file) {
        try {
            return KernelFile.lines(file);
        } catch (IOException e) {
            return List.of();
        }
    }
}
