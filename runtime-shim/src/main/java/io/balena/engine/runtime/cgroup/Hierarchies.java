package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Where the host has its cgroups mounted, as found in `/proc/self/mountinfo`.
///
/// @param v1 one for each mounted hierarchy of version 1; when empty, the host uses version 2 alone
/// @param unified where version 2 is mounted; may be null on a host of version 1
public record Hierarchies(List<Hierarchy> v1, Path unified) {
    /// @param mount e.g. `/sys/fs/cgroup/memory`
    /// @param controllers e.g. `cpu`, `cpuacct`, or the one `name=systemd`
    public record Hierarchy(Path mount, List<String> controllers) {
        public boolean has(String controller) {
            return controllers.contains(controller);
        }

        /// As mount(2) wants it, e.g. `cpu,cpuacct`.
        public String options() {
            return String.join(",", controllers);
        }
    }

    public static Hierarchies read() throws IOException {
        return parse(KernelFile.lines(Path.of("/proc/self/mountinfo")));
    }

    /// `36 35 98:0 /root /mount options [tags …] - type source super-options`
    static Hierarchies parse(List<String> mountinfo) {
        List<Hierarchy> v1 = new ArrayList<>();
        Path unified = null;
        for (String line : mountinfo) {
            int dash = line.indexOf(" - cgroup");
            if (dash < 0) continue;
            String[] left = line.split(" ");
            String[] right = line.substring(dash + 3).split(" ");
            Path mount = Path.of(left[4]);
            if (right[0].equals("cgroup2")) {
                if (unified == null) unified = mount;
                continue;
            }
            List<String> controllers = new ArrayList<>();
            for (String option : Arrays.asList(right[right.length - 1].split(","))) {
                if (isController(option)) controllers.add(option);
            }
            boolean mountedTwice = false;
            for (Hierarchy other : v1) mountedTwice |= other.controllers().equals(controllers);
            if (!mountedTwice && !controllers.isEmpty()) v1.add(new Hierarchy(mount, List.copyOf(controllers)));
        }
        return new Hierarchies(List.copyOf(v1), unified);
    }

    private static boolean isController(String option) {
        return switch (option) {
            case "rw", "ro", "xattr", "none", "clone_children", "noprefix", "nsdelegate", "memory_recursiveprot" -> false;
            default -> option.indexOf('=') < 0 || option.startsWith("name=");
        };
    }

    /// Where each is mounted, that of version 2 last.
    public List<Path> roots() {
        List<Path> roots = new ArrayList<>();
        for (int i = 0; i < v1.size(); i++) roots.add(v1.get(i).mount());
        if (unified != null) roots.add(unified);
        return roots;
    }

    /// The hierarchy of version 1 that has a controller, or null.
    Hierarchy with(String controller) {
        for (int i = 0; i < v1.size(); i++) {
            if (v1.get(i).has(controller)) return v1.get(i);
        }
        return null;
    }
}
