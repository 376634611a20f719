package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;

/// The kernel's names of major numbers, from `/proc/devices`.
final class DeviceGroups {
    private DeviceGroups() {}

    /// @param kind `char` or `block`
    /// @return e.g. `pts`, or null when the kernel has no such driver now
    static String name(String kind, long major) {
        try {
            boolean wanted = false;
            for (String line : KernelFile.lines(Path.of("/proc/devices"))) {
                if (line.endsWith(":")) wanted = line.startsWith(kind.equals("char") ? "Character" : "Block");
                String[] words = line.trim().split(" ", 2);
                if (wanted && words.length == 2 && words[0].equals(Long.toString(major))) return words[1];
            }
        } catch (IOException _) {
            // as if there were none
        }
        return null;
    }
}
