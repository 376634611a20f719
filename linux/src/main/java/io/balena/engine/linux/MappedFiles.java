package io.balena.engine.linux;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What a Java program has mapped of files for as long as it lives: the virtual machine, the archive of classes, the run time's modules.
public final class MappedFiles {
    private static final int MADV_DONTNEED = 4;
    private static final long WORTHWHILE_BYTES = 1 << 20;

    private static List<Mapping> lasting;

    private record Mapping(long address, long bytes) {}

    private MappedFiles() {}

    /// Takes out of this process what it has mapped of them and has never written to. It stays in the page cache, from where what is
    /// needed again is back in a microsecond; and when memory is short the kernel can take it at once, instead of first finding out
    /// that nobody uses it. A program that waits needs little of what it needed last.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man2/madvise.2.html">madvise(2), MADV_DONTNEED</a>
    public static synchronized void release() throws IOException {
        if (lasting == null) lasting = lasting();
        for (Mapping each : lasting) {
            if (ProcessLibc.madvise(each.address, each.bytes, MADV_DONTNEED) != 0) {
                throw new ErrnoException(Native.getLastError(), "madvise", Long.toHexString(each.address));
            }
        }
    }

    /// @see <a href="https://docs.kernel.org/filesystems/proc.html">proc, smaps</a>
    private static List<Mapping> lasting() throws IOException {
        List<Mapping> found = new ArrayList<>();
        String mapping = "";
        for (String line : KernelFile.lines(Path.of("/proc/self/smaps"))) {
            if (line.indexOf(':') > line.indexOf(' ')) mapping = line;
            // What it has of its own was written before it became read-only, as a library's relocations are: no file has that.
            else if (line.startsWith("Anonymous:") && line.endsWith(" 0 kB") && isLasting(mapping) && !isWritable(mapping)) add(mapping, found);
        }
        return List.copyOf(found);
    }

    /// These are never unmapped, so what lies at their addresses later is still theirs.
    private static boolean isLasting(String mapping) {
        return mapping.endsWith(".so") || mapping.endsWith(".jsa") || mapping.endsWith("/modules");
    }

    private static boolean isWritable(String mapping) {
        return mapping.charAt(mapping.indexOf(' ') + 2) == 'w';
    }

    private static void add(String mapping, List<Mapping> found) {
        int dash = mapping.indexOf('-');
        long from = Long.parseUnsignedLong(mapping, 0, dash, 16);
        long to = Long.parseUnsignedLong(mapping, dash + 1, mapping.indexOf(' '), 16);
        if (to - from >= WORTHWHILE_BYTES) found.add(new Mapping(from, to - from));
    }
}
