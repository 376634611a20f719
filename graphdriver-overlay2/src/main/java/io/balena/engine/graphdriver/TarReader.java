package io.balena.engine.graphdriver;

import java.io.EOFException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/// Reads the tar of a layer anywhere. For one thread.
///
/// Keeps the last few chapters and files at hand: who reads something often reads what is beside it next. Contents are not checked against
/// their checksums, as they are read in parts; files that are gone, or have another size, are errors that name them.
public final class TarReader implements AutoCloseable {
    private static final int MOST_CHAPTERS = 8;
    private static final int MOST_FILES = 16;

    private final TarMap map;
    private final LayerContents contents;
    private final Map<Integer, TarChapter> chapters = new LinkedHashMap<>(MOST_CHAPTERS, 0.75f, true);
    private final Map<Long, LayerContents.Content> files = new LinkedHashMap<>(MOST_FILES, 0.75f, true);
    private TarChapter chapter;

    TarReader(TarMap map) throws IOException {
        this.map = map;
        contents = new LayerContents(map.diff());
    }

    /// Reads exactly `length` bytes from `position` on.
    ///
    /// @throws IOException when the tar has not as many, or a file of the layer is not what it was
    public void read(long position, byte[] to, int offset, int length) throws IOException {
        if (position < 0 || position > map.size() - length) throw new EOFException("read beyond the end of a layer");
        while (length > 0) {
            int count = readSome(position, to, offset, length);
            position += count;
            offset += count;
            length -= count;
        }
    }

    private int readSome(long position, byte[] to, int offset, int length) throws IOException {
        if (chapter == null || !chapter.has(position)) chapter = chapter(map.chapterAt(position));
        int piece = chapter.pieceAt(position);
        long from = position - chapter.startOf(piece);
        int count = (int) Math.min(length, chapter.sizeOf(piece) - from);
        if (!chapter.isFile(piece)) {
            chapter.copy(piece, from, to, offset, count);
            return count;
        }
        return file(piece).read(from, to, offset, count);
    }

    private TarChapter chapter(int number) throws IOException {
        TarChapter known = chapters.get(number);
        if (known != null) return known;
        TarChapter unpacked = map.chapter(number);
        chapters.put(number, unpacked);
        if (chapters.size() > MOST_CHAPTERS) chapters.remove(chapters.keySet().iterator().next());
        return unpacked;
    }

    private LayerContents.Content file(int piece) throws IOException {
        long start = chapter.startOf(piece);
        LayerContents.Content known = files.get(start);
        if (known != null) return known;
        LayerContents.Content opened = contents.open(chapter.nameOf(piece), chapter.sizeOf(piece));
        files.put(start, opened);
        if (files.size() > MOST_FILES) files.remove(files.keySet().iterator().next()).close();
        return opened;
    }

    @Override
    public void close() {
        files.values().forEach(LayerContents.Content::close);
        files.clear();
        contents.close();
    }
}
