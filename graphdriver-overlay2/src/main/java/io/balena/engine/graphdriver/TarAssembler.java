package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// The tar of a layer, put together from its tar-split record and the files on disk.
///
/// Each file is checked against the recorded size and CRC-64 while it passes; a difference ends the stream with an exception.
final class TarAssembler extends TarSource {
    private final TarSplitReader record;
    private final LayerContents contents;
    private final Crc64 crc = new Crc64();

    private LayerContents.Content file;
    private byte[] name;
    private long size;
    private long missing;
    private byte[] checksum;

    /// @param diff the layer's files
    TarAssembler(Path record, Path diff) throws IOException {
        this.record = new TarSplitReader(record);
        try {
            contents = new LayerContents(diff);
        } catch (Throwable t) {
            this.record.close();
            throw t;
        }
    }

    @Override
    int produce(byte[] to, int offset, int length) throws IOException {
        if (file != null) return readFile(to, offset, length);
        return nextRecord() ? 0 : -1;
    }

    private int readFile(byte[] to, int offset, int length) throws IOException {
        int got = file.read(size - missing, to, offset, (int) Math.min(length, missing));
        crc.update(to, offset, offset + got);
        missing -= got;
        if (missing == 0) endFile();
        return got;
    }

    private void endFile() throws IOException {
        file.close();
        file = null;
        if (checksum == null || checksum.length != 8 || ByteBuffer.wrap(checksum).getLong() != crc.value()) {
            throw LayerContents.damaged(name, "differs from what was recorded", null);
        }
    }

    private boolean nextRecord() throws IOException {
        switch (record.next()) {
            case null -> {
                return false;
            }
            case TarSplitReader.Piece.Segment(byte[] bytes) -> give(bytes);
            case TarSplitReader.Piece.Content content when content.size() > 0 -> beginFile(content);
            case TarSplitReader.Piece.Content _ -> {}
        }
        return true;
    }

    private void beginFile(TarSplitReader.Piece.Content content) throws IOException {
        if (content.name() == null) throw new IOException("tar-split record of a file without a name");
        name = content.name();
        file = contents.open(name, content.size());
        size = content.size();
        missing = size;
        checksum = content.crc64();
        crc.reset();
    }

    @Override
    void release() throws IOException {
        if (file != null) file.close();
        contents.close();
        record.close();
    }
}
