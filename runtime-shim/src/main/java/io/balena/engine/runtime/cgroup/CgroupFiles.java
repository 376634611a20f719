package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.KernelFile;
import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reading and writing the files of a control group.
public final class CgroupFiles {
    private static final int SIGKILL = 9;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private CgroupFiles() {}

    /// Makes a folder below `root` and those above it, where they are missing.
    static void makeFolders(Path root, String relative) throws IOException {
        Path whole = root.resolve(relative);
        try {
            Files.createDirectory(whole);
        } catch (FileAlreadyExistsException _) {
            // Made by the runtime's user, or by an earlier container of that name that ended badly.
        } catch (NoSuchFileException _) {
            // The first container below this parent makes the parent, too.
            Files.createDirectories(whole);
        }
    }

    /// @throws ContainerFailure worded as runc does
    static void write(Path file, String value) throws ContainerFailure {
        try {
            Files.write(file, value.getBytes(StandardCharsets.US_ASCII), StandardOpenOption.WRITE);
        } catch (NoSuchFileException _) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "openat2 " + file + ": no such file or directory");
        } catch (AccessDeniedException _) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "failed to write \"" + value + "\": open " + file + ": permission denied");
        } catch (IOException e) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP,
                    "failed to write \"" + value + "\": write " + file + ": " + reason(e));
        }
    }

    /// Writes each value by a call of its own to one file.
    ///
    /// @throws ContainerFailure worded as runc does
    static void writeEach(Path file, List<String> values) throws ContainerFailure {
        String value = "";
        try (var out = Files.newOutputStream(file, StandardOpenOption.WRITE)) {
            for (int i = 0; i < values.size(); i++) {
                value = values.get(i);
                out.write(value.getBytes(StandardCharsets.US_ASCII));
            }
        } catch (IOException e) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "failed to write \"" + value + "\": write " + file + ": " + reason(e));
        }
    }

    private static String reason(IOException e) {
        String message = e instanceof FileSystemException f && f.getReason() != null ? f.getReason() : e.getMessage();
        return message == null ? "failed" : message.toLowerCase(java.util.Locale.ROOT);
    }

    static String read(Path file) throws IOException {
        try {
            return KernelFile.text(file).trim();
        } catch (FileSystemException e) {
            // Also ENODEV, while the group is being removed.
            throw new NoSuchFileException(file.toString());
        }
    }

    /// The number after `key` in a file of lines `key number`, 0 when it has none.
    static long field(Path file, String key) throws IOException {
        for (String line : read(file).split("\n")) {
            if (line.startsWith(key) && line.length() > key.length() && line.charAt(key.length()) == ' ') {
                return Long.parseLong(line.substring(key.length() + 1));
            }
        }
        return 0;
    }

    /// @param otherwise for a file that is missing, or says `max`
    static long numberOr(Path file, long otherwise) {
        try {
            return Long.parseLong(read(file));
        } catch (IOException | NumberFormatException _) {
            return otherwise;
        }
    }

    /// Lines `name number`, in their order.
    static Map<String, Long> table(String text) {
        Map<String, Long> table = new LinkedHashMap<>();
        for (String line : text.split("\n")) {
            int space = line.indexOf(' ');
            if (space <= 0) continue;
            try {
                table.put(line.substring(0, space), Long.parseLong(line.substring(space + 1)));
            } catch (NumberFormatException _) {
                // of another kind
            }
        }
        return table;
    }

    /// Members of a group and of those below it, by their pids here.
    static List<Integer> members(Path folder) throws IOException {
        List<Integer> all = new ArrayList<>();
        addMembers(folder, all);
        return all;
    }

    private static void addMembers(Path folder, List<Integer> to) throws IOException {
        to.addAll(ownMembers(folder));
        for (Path child : childrenOf(folder)) addMembers(child, to);
    }

    /// Without those of groups below.
    static List<Integer> ownMembers(Path folder) throws IOException {
        List<Integer> all = new ArrayList<>();
        String own = "";
        try {
            own = read(folder.resolve("cgroup.procs"));
        } catch (NoSuchFileException _) {
            // gone, or a group of threads, whose processes are members above
        }
        for (String pid : own.isEmpty() ? new String[0] : own.split("\n")) all.add(Integer.valueOf(pid));
        return all;
    }

    /// @return false also when there is no such group
    static boolean hasMembers(Path folder) throws IOException {
        try {
            return !read(folder.resolve("cgroup.procs")).isEmpty();
        } catch (NoSuchFileException _) {
            return false;
        }
    }

    /// Sends SIGKILL to every member of a group and of the groups below it.
    static void killMembers(Path folder) throws IOException {
        for (Path child : childrenOf(folder)) killMembers(child);
        String members;
        try {
            members = read(folder.resolve("cgroup.procs"));
        } catch (NoSuchFileException _) {
            return;
        }
        if (members.isEmpty()) return;
        for (String pid : members.split("\n")) {
            // "0" stands for a process of another pid namespace that we cannot name.
            if (pid.equals("0")) continue;
            try (var process = PidFd.open(Integer.parseInt(pid))) {
                process.signal(SIGKILL);
            } catch (ErrnoException _) {
                // it has ended
            }
        }
    }

    /// Removes a folder and those below it. The kernel refuses while a member that was killed has not vanished yet.
    public static void remove(Path folder) throws IOException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        long pauseMillis = 1;
        while (true) {
            try {
                for (Path child : childrenOf(folder)) remove(child);
                Files.deleteIfExists(folder);
                return;
            } catch (FileSystemException e) {
                if (System.nanoTime() > deadline) throw e;
                if (!(e instanceof DirectoryNotEmptyException) && !isBusy(e)) throw e;
            }
            killMembers(folder);
            try {
                Thread.sleep(pauseMillis);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while removing " + folder);
            }
            pauseMillis = Math.min(100, pauseMillis * 2);
        }
    }

    private static boolean isBusy(FileSystemException e) {
        return e.getReason() != null && e.getReason().contains("busy");
    }

    private static List<Path> childrenOf(Path folder) throws IOException {
        List<Path> children = new ArrayList<>();
        java.io.File[] entries = folder.toFile().listFiles(java.io.File::isDirectory);
        if (entries == null) return children;
        for (var entry : entries) children.add(entry.toPath());
        return children;
    }
}
