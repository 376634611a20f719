package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What an engine holds at a moment: of the kernel's objects, and of memory, by the name of the figure.
///
/// @param figures counts, and sizes in KiB whose names end in `KiB`
record Holdings(Map<String, Long> figures) {
    private static final Pattern HEAP_USED = Pattern.compile("\\bused (\\d+)K");
    private static final Path JCMD = Path.of(System.getProperty("java.home"), "bin/jcmd");

    /// Counts, after both processes have collected their garbage.
    ///
    /// @param cgroupParent the engine's `--cgroup-parent`, without its slash
    static Holdings of(Engine engine, String cgroupParent) {
        var figures = new LinkedHashMap<String, Long>();
        addProcess(figures, "daemon", engine.daemon());
        addProcess(figures, "shim", engine.shim());
        figures.put("mounts", mounts(engine));
        figures.put("links", (long) engine.inside("ip", "-o", "link").run().succeeded().lines().count());
        figures.put("cgroups", cgroups(cgroupParent));
        figures.put("processes", (long) engine.processes().size());
        figures.put("state files", files(engine.exec()));
        return new Holdings(figures);
    }

    private static void addProcess(Map<String, Long> figures, String name, ProcessHandle process) {
        var heap = heapAfterCollection(process);
        var folder = Path.of("/proc/" + process.pid());
        figures.put(name + " fds", entries(folder.resolve("fd")));
        figures.put(name + " netns", namespaces(folder.resolve("fd")));
        figures.put(name + " threads", entries(folder.resolve("task")));
        figures.put(name + " heap KiB", heap);
        figures.put(name + " anonymous KiB", rollup(folder, "Anonymous"));
        figures.put(name + " PSS KiB", rollup(folder, "Pss"));
        figures.put(name + " RSS KiB", rollup(folder, "Rss"));
    }

    private static long heapAfterCollection(ProcessHandle process) {
        var pid = Long.toString(process.pid());
        Command.of(JCMD.toString(), pid, "GC.run").run().succeeded();
        Matcher used = HEAP_USED.matcher(Command.of(JCMD.toString(), pid, "GC.heap_info").run().succeeded());
        long sum = 0;
        // Young, old, and the classes' metadata, which comes last and is none of the heap.
        for (int generation = 0; generation < 2 && used.find(); generation++) sum += Long.parseLong(used.group(1));
        return sum;
    }

    private static long entries(Path folder) {
        return folder.toFile().list().length;
    }

    /// Network namespaces that are kept by a descriptor.
    private static long namespaces(Path descriptors) {
        try (var all = Files.list(descriptors)) {
            return all.filter(fd -> {
                try {
                    return Files.readSymbolicLink(fd).toString().startsWith("net:");
                } catch (IOException _) {
                    return false; // closed meanwhile
                }
            }).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long rollup(Path process, String field) {
        try (var lines = Files.lines(process.resolve("smaps_rollup"))) {
            return lines.filter(line -> line.startsWith(field + ":")).mapToLong(line -> Long.parseLong(line.split("\\s+")[1])).findFirst().orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long mounts(Engine engine) {
        try (var lines = Files.lines(Path.of("/proc/" + engine.daemon().pid() + "/mountinfo"))) {
            return lines.filter(line -> line.contains(" " + engine.data().getParent() + "/")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long cgroups(String parent) {
        return Command.of("sh", "-c", "find /sys/fs/cgroup -type d -path '*/" + parent + "/*' | wc -l").run().succeeded().lines()
                .mapToLong(Long::parseLong).sum();
    }

    private static long files(Path folder) {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
