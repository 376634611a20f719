package io.balena.engine.daemon.container;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Reads a container's control groups, of version 1 or 2, whichever this machine has.
///
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v1/index.html">cgroup v1</a>
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v2.html">cgroup v2</a>
final class Cgroup {
    private static final Path ROOT = Path.of("/sys/fs/cgroup");

    private final String path;
    private final boolean unified;

    /// @param path below the root of every hierarchy, e.g. `/docker/<id>`
    Cgroup(String path) {
        this.path = path.substring(1);
        this.unified = Files.exists(ROOT.resolve("cgroup.controllers"));
    }

    boolean isUnified() {
        return unified;
    }

    private Path directory(String controller) {
        return (unified ? ROOT : ROOT.resolve(controller)).resolve(path);
    }

    /// Pids in the host's pid namespace, of all processes of the container, those in groups it made included.
    List<Integer> processes() throws IOException {
        for (String controller : List.of("pids", "memory", "cpu", "freezer", "devices")) {
            Path directory = directory(controller);
            if (!Files.isDirectory(directory)) continue;
            try (var tree = Files.walk(directory)) {
                return tree.filter(Files::isDirectory).flatMap(group -> lines(group.resolve("cgroup.procs")).stream())
                        .map(Integer::valueOf).toList();
            }
        }
        return List.of();
    }

    long number(String controller, String file) {
        return text(controller, file).filter(text -> text.matches("\\d+")).map(Long::parseUnsignedLong).orElse(0L);
    }

    Optional<String> text(String controller, String file) {
        List<String> lines = lines(directory(controller).resolve(file));
        return lines.isEmpty() ? Optional.empty() : Optional.of(lines.getFirst().strip());
    }

    /// A file of lines `name number`.
    Map<String, Long> table(String controller, String file) {
        Map<String, Long> table = new LinkedHashMap<>();
        for (String line : lines(directory(controller).resolve(file))) {
            int space = line.indexOf(' ');
            if (space > 0 && line.substring(space + 1).matches("\\d+")) {
                table.put(line.substring(0, space), Long.parseUnsignedLong(line.substring(space + 1)));
            }
        }
        return table;
    }

    List<String> all(String controller, String file) {
        return lines(directory(controller).resolve(file));
    }

    private static List<String> lines(Path file) {
        try {
            return KernelFile.lines(file);
        } catch (IOException e) {
            return List.of(); // no such controller here, or the container has just ended
        }
    }
}
