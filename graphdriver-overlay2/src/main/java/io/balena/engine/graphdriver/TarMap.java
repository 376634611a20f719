package io.balena.engine.graphdriver;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;

/// What lies where in the tar of a layer, so that it can be read anywhere without being put together.
///
/// Headers and names are kept in memory, packed ([TarChapter]): 30 to 80 bytes for each file of the layer. Contents are read from the
/// layer's files. Immutable; shared by as many readers as there are.
public final class TarMap {
    private final Path diff;
    private final long size;
    private final byte[][] chapters;
    /// Where each chapter begins in the tar.
    private final long[] starts;

    private TarMap(Path diff, long size, byte[][] chapters, long[] starts) {
        this.diff = diff;
        this.size = size;
        this.chapters = chapters;
        this.starts = starts;
    }

    static TarMap read(Path record, Path diff) throws IOException {
        byte[][] chapters = new byte[16][];
        long[] starts = new long[16];
        int count = 0;
        long size = 0;
        try (var pieces = new TarSplitReader(record); var chapter = new TarChapterWriter(pieces)) {
            for (byte[] packed = chapter.next(); packed != null; packed = chapter.next()) {
                if (count == chapters.length) {
                    chapters = Arrays.copyOf(chapters, 2 * count);
                    starts = Arrays.copyOf(starts, 2 * count);
                }
                chapters[count] = packed;
                starts[count++] = size;
                size += chapter.size();
            }
        } catch (EOFException e) {
            throw new IOException("layer is damaged: its tar-split record breaks off", e);
        }
        return new TarMap(diff, size, Arrays.copyOf(chapters, count), Arrays.copyOf(starts, count));
    }

    /// Bytes of the tar.
    public long size() {
        return size;
    }

    /// Opens it for one thread.
    public TarReader open() throws IOException {
        return new TarReader(this);
    }

    /// Bytes that it takes itself.
    long memory() {
        long memory = 0;
        for (byte[] chapter : chapters) memory += chapter.length + Long.BYTES;
        return memory;
    }

    Path diff() {
        return diff;
    }

    /// The chapter in which `position` lies.
    int chapterAt(long position) {
        int found = Arrays.binarySearch(starts, position);
        return found >= 0 ? found : -found - 2;
    }

    TarChapter chapter(int number) throws IOException {
        return new TarChapter(chapters[number], starts[number]);
    }
}
