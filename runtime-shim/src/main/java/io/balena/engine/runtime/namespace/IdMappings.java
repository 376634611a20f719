package io.balena.engine.runtime.namespace;

import io.balena.engine.linux.KernelFile;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Which ids of the host the users and groups of a user namespace are.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/user_namespaces.7.html">user_namespaces(7)</a>
public record IdMappings(List<RuntimeSpec.IdMapping> users, List<RuntimeSpec.IdMapping> groups) {
    /// The kernel's limit.
    private static final int MAX_LINES = 340;

    /// Those of a process that lives.
    public static IdMappings of(int pid) throws IOException {
        return of(Path.of("/proc/" + pid));
    }

    /// @param process its folder in `/proc`
    static IdMappings of(Path process) throws IOException {
        return new IdMappings(parse(KernelFile.text(process.resolve("uid_map"))), parse(KernelFile.text(process.resolve("gid_map"))));
    }

    /// @throws ContainerFailure when nobody is mapped, or more than the kernel takes
    void check() throws ContainerFailure {
        if (users.isEmpty()) throw failure("User namespaces enabled, but no uid mappings found.");
        if (groups.isEmpty()) throw failure("User namespaces enabled, but no gid mappings found.");
        if (users.size() > MAX_LINES || groups.size() > MAX_LINES) throw failure("more than " + MAX_LINES + " id mappings");
    }

    /// Gives them to the namespace of a process, which has none yet. Its members may call setgroups(2), since we may.
    void give(int pid) throws IOException {
        Files.writeString(Path.of("/proc/" + pid + "/gid_map"), lines(groups));
        Files.writeString(Path.of("/proc/" + pid + "/uid_map"), lines(users));
    }

    /// What root is outside.
    ///
    /// @return -1 when it is nobody
    public int hostRoot() {
        return host(users);
    }

    /// What root's group is outside.
    ///
    /// @return -1 when it is none
    public int hostRootGroup() {
        return host(groups);
    }

    private static int host(List<RuntimeSpec.IdMapping> mappings) {
        for (int i = 0; i < mappings.size(); i++) {
            if (mappings.get(i).containerID() == 0 && mappings.get(i).size() != 0) return mappings.get(i).hostID();
        }
        return -1;
    }

    private static String lines(List<RuntimeSpec.IdMapping> mappings) {
        var text = new StringBuilder();
        for (int i = 0; i < mappings.size(); i++) {
            var mapping = mappings.get(i);
            text.append(Integer.toUnsignedString(mapping.containerID())).append(' ')
                    .append(Integer.toUnsignedString(mapping.hostID())).append(' ')
                    .append(Integer.toUnsignedString(mapping.size())).append('\n');
        }
        return text.toString();
    }

    private static List<RuntimeSpec.IdMapping> parse(String map) {
        List<RuntimeSpec.IdMapping> mappings = new ArrayList<>();
        for (String line : map.split("\n")) {
            String[] columns = line.trim().split(" +");
            if (columns.length == 3) {
                mappings.add(new RuntimeSpec.IdMapping(
                        Integer.parseUnsignedInt(columns[0]), Integer.parseUnsignedInt(columns[1]), Integer.parseUnsignedInt(columns[2])));
            }
        }
        return mappings;
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
