package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// The tar of a layer, put together from its tar-split record and the files on disk.
///
/// Each file is checked against the recorded size and CRC-64 while it passes; a difference ends the stream with an exception.
final class TarAssembler extends TarSource {
    // Reading a layer must not write: noting the time would cost an inode for each of its files.
    private static final int FLAGS = OpenFlags.RDONLY | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK | OpenFlags.NOATIME;

    private final FileCalls calls = new FileCalls();
    private final TarSplitReader record;
    private final int root;
    private final Crc64 crc = new Crc64();

    private int fd = -1;
    private byte[] name;
    private long missing;
    private byte[] checksum;

    /// @param diff the layer's files
    TarAssembler(Path record, Path diff) throws IOException {
        this.record = new TarSplitReader(record);
        try {
            root = calls.open(diff, OpenFlags.PATH | OpenFlags.DIRECTORY);
        } catch (Throwable t) {
            this.record.close();
            throw t;
        }
    }

    @Override
    int produce(byte[] to, int offset, int length) throws IOException {
        if (fd >= 0) return readFile(to, offset, length);
        return nextRecord() ? 0 : -1;
    }

    private int readFile(byte[] to, int offset, int length) throws IOException {
        int got = calls.read(fd, to, offset, (int) Math.min(length, missing));
        if (got < 0) throw damaged("is shorter than recorded");
        crc.update(to, offset, offset + got);
        missing -= got;
        if (missing == 0) endFile();
        return got;
    }

    private void endFile() throws IOException {
        calls.close(fd);
        fd = -1;
        if (checksum == null || checksum.length != 8 || ByteBuffer.wrap(checksum).getLong() != crc.value()) {
            throw damaged("differs from what was recorded");
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
        fd = calls.openBy(root, TarPath.clean(name), FLAGS, OpenFlags.RESOLVE_IN_ROOT);
        if (!calls.stat(fd).isRegular()) throw damaged("is no regular file");
        missing = content.size();
        checksum = content.crc64();
        crc.reset();
    }

    private IOException damaged(String how) {
        return new IOException("layer is damaged: " + new String(name, UTF_8) + " " + how);
    }

    @Override
    void release() throws IOException {
        if (fd >= 0) calls.close(fd);
        calls.close(root);
        record.close();
    }
}
