package io.balena.engine.daemon;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Says that an engine runs, and keeps a second one from starting on the same data.
final class PidFile implements AutoCloseable {
    private final Path file;

    private PidFile(Path file) {
        this.file = file;
    }

    /// @throws IOException in dockerd's words when the process named by an existing file still runs
    static PidFile create(Path file) throws IOException {
        long self = ProcessHandle.current().pid();
        long other = read(file);
        // After a power cut the number may belong to any process, even to us.
        if (other > 0 && other != self && isEngine(other)) {
            throw new IOException("pid file found, ensure docker is not running or delete " + file);
        }
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, Long.toString(self));
        return new PidFile(file);
    }

    private static long read(Path file) {
        try {
            return Long.parseLong(Files.readString(file).strip());
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    // A number that another program got meanwhile must not keep a device without its engine: only our own kind counts.
    private static boolean isEngine(long pid) {
        try {
            Path theirs = Path.of("/proc", Long.toString(pid), "exe").toRealPath();
            Path ours = Path.of("/proc/self/exe").toRealPath();
            return theirs.equals(ours)
                    && KernelFile.text(Path.of("/proc", Long.toString(pid), "cmdline")).contains(DaemonMain.class.getName());
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        if (read(file) == ProcessHandle.current().pid()) Files.deleteIfExists(file);
    }
}
