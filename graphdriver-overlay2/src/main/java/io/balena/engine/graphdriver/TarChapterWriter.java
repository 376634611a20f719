package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.Deflater;

/// Packs a tar-split record into chapters.
final class TarChapterWriter implements AutoCloseable {
    /// Unpacked. More would pack better, and take longer to unpack for the sake of a few bytes.
    private static final int LENGTH = 32 * 1024;
    private static final int MAX_PIECE = 16 * 1024;
    private static final int LEVEL = 3;

    private final TarSplitReader record;
    private final Deflater deflater = new Deflater(LEVEL, true);
    private final byte[] packed = new byte[2 * LENGTH];
    private ByteBuffer chapter = ByteBuffer.allocate(LENGTH + MAX_PIECE);
    private TarSplitReader.Piece.Segment cut;
    private int cutAt;
    private long size;

    TarChapterWriter(TarSplitReader record) {
        this.record = record;
    }

    /// Packs the next pieces.
    ///
    /// @return null when there are no more
    byte[] next() throws IOException {
        chapter.clear();
        size = 0;
        while (chapter.position() < LENGTH) {
            if (cut == null && !begin(record.next())) break;
            if (cut != null) addSome();
        }
        return chapter.position() == 0 ? null : pack();
    }

    /// Bytes of the tar in the chapter that [#next] returned.
    long size() {
        return size;
    }

    private boolean begin(TarSplitReader.Piece piece) throws IOException {
        switch (piece) {
            case null -> {
                return false;
            }
            case TarSplitReader.Piece.Segment segment -> {
                cut = segment;
                cutAt = 0;
            }
            case TarSplitReader.Piece.Content content when content.size() > 0 -> add(content);
            case TarSplitReader.Piece.Content _ -> {}
        }
        return true;
    }

    private void addSome() {
        int length = Math.min(cut.bytes().length - cutAt, MAX_PIECE - Integer.BYTES);
        chapter.putInt(length).put(cut.bytes(), cutAt, length);
        cutAt += length;
        size += length;
        if (cutAt == cut.bytes().length) cut = null;
    }

    private void add(TarSplitReader.Piece.Content content) throws IOException {
        if (content.name() == null) throw new IOException("tar-split record of a file without a name");
        if (chapter.remaining() < content.name().length + 2 * Long.BYTES) {
            chapter = ByteBuffer.allocate(chapter.capacity() + content.name().length + 2 * Long.BYTES).put(chapter.flip());
        }
        chapter.putInt(TarChapter.FILE).putLong(content.size()).putInt(content.name().length).put(content.name());
        size += content.size();
    }

    private byte[] pack() {
        deflater.reset();
        deflater.setInput(chapter.array(), 0, chapter.position());
        deflater.finish();
        byte[] out = packed;
        ByteBuffer.wrap(out).putInt(chapter.position());
        int length = Integer.BYTES;
        while (!deflater.finished()) {
            if (length == out.length) out = Arrays.copyOf(out, 2 * length);
            length += deflater.deflate(out, length, out.length - length);
        }
        return Arrays.copyOf(out, length);
    }

    @Override
    public void close() {
        deflater.close();
    }
}
