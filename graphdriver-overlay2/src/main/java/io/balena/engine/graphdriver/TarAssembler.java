package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/// The tar of a layer, put together from its tar-split record and the files on disk.
///
/// Each file is checked against the recorded size and CRC-64 while it passes; a difference ends the stream with an exception.
final class TarAssembler extends TarSource {
    private static final int FILE = 1;
    private static final int SEGMENT = 2;
    // One line may hold a segment of any size: Docker records all that follows a tar's end in one.
    private static final JsonFactory JSON = JsonFactory.builder().streamReadConstraints(
            StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).maxDocumentLength(-1).build()).build();

    private final FileCalls calls = new FileCalls();
    private final JsonParser records;
    private final int root;
    private final Crc64 crc = new Crc64();

    private int fd = -1;
    private byte[] name;
    private long missing;
    private byte[] checksum;

    /// @param diff the layer's files
    TarAssembler(Path record, Path diff) throws IOException {
        InputStream file = Files.newInputStream(record);
        try {
            records = JSON.createParser(new BufferedInputStream(new GZIPInputStream(file, 16 * 1024), 16 * 1024));
            root = calls.open(diff, OpenFlags.PATH | OpenFlags.DIRECTORY);
        } catch (Throwable t) {
            file.close();
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
        JsonToken token = records.nextToken();
        if (token == null) return false;
        if (token != JsonToken.START_OBJECT) throw new IOException("tar-split record is damaged");
        int type = 0;
        long size = 0;
        byte[] payload = null;
        name = null;
        while (records.nextToken() != JsonToken.END_OBJECT) {
            String field = records.currentName();
            boolean isNull = records.nextToken() == JsonToken.VALUE_NULL;
            switch (field) {
                case "type" -> type = records.getIntValue();
                case "size" -> size = records.getLongValue();
                case "name" -> name = records.getText().getBytes(UTF_8);
                case "name_raw" -> name = isNull ? name : records.getBinaryValue();
                case "payload" -> payload = isNull ? null : records.getBinaryValue();
                default -> records.skipChildren();
            }
        }
        switch (type) {
            case SEGMENT -> give(payload == null ? new byte[0] : payload);
            case FILE -> {
                if (size > 0) beginFile(size, payload);
            }
            default -> throw new IOException("tar-split record of unknown type " + type);
        }
        return true;
    }

    private void beginFile(long size, byte[] crc64) throws IOException {
        if (name == null) throw new IOException("tar-split record of a file without a name");
        byte[] path = TarPath.clean(name);
        fd = calls.openBy(root, path, OpenFlags.RDONLY | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK, OpenFlags.RESOLVE_IN_ROOT);
        if (!calls.stat(fd).isRegular()) throw damaged("is no regular file");
        missing = size;
        checksum = crc64;
        crc.reset();
    }

    private IOException damaged(String how) {
        return new IOException("layer is damaged: " + new String(name, UTF_8) + " " + how);
    }

    @Override
    void release() throws IOException {
        if (fd >= 0) calls.close(fd);
        calls.close(root);
        records.close();
    }
}
