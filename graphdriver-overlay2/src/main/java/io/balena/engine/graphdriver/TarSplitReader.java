package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/// Reads a tar-split record, whose format [TarSplitWriter] describes.
final class TarSplitReader implements AutoCloseable {
    private static final int FILE = 1;
    private static final int SEGMENT = 2;
    // One line may hold a segment of any size: Docker records all that follows a tar's end in one.
    private static final JsonFactory JSON = JsonFactory.builder().streamReadConstraints(
            StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).maxDocumentLength(-1).build()).build();

    /// One line of the record.
    sealed interface Piece {
        /// Bytes as they stand in the tar.
        record Segment(byte[] bytes) implements Piece {}

        /// The content of a file on disk; `name` and `crc64` are null when the line has none.
        record Content(byte[] name, long size, byte[] crc64) implements Piece {}
    }

    private final JsonParser lines;

    TarSplitReader(Path record) throws IOException {
        InputStream file = Files.newInputStream(record);
        try {
            lines = JSON.createParser(new BufferedInputStream(new GZIPInputStream(file, 16 * 1024), 16 * 1024));
        } catch (Throwable t) {
            file.close();
            throw t;
        }
    }

    /// Bytes of the tar that `record` is of.
    static long tarSize(Path record) throws IOException {
        try (var reader = new TarSplitReader(record)) {
            long size = 0;
            for (Piece piece = reader.next(); piece != null; piece = reader.next()) {
                size += switch (piece) {
                    case Piece.Segment(byte[] bytes) -> bytes.length;
                    case Piece.Content content -> content.size();
                };
            }
            return size;
        }
    }

    /// @return null at the end
    Piece next() throws IOException {
        JsonToken token = lines.nextToken();
        if (token == null) return null;
        if (token != JsonToken.START_OBJECT) throw damaged();
        int type = 0;
        long size = 0;
        byte[] name = null;
        byte[] payload = null;
        while (lines.nextToken() != JsonToken.END_OBJECT) {
            String field = lines.currentName();
            JsonToken value = lines.nextToken();
            boolean isNull = value == JsonToken.VALUE_NULL;
            switch (field) {
                case "type" -> type = lines.getIntValue();
                case "size" -> size = lines.getLongValue();
                case "name" -> name = isNull ? name : text(value).getBytes(UTF_8);
                case "name_raw" -> name = isNull ? name : lines.getBinaryValue();
                case "payload" -> payload = isNull ? null : lines.getBinaryValue();
                default -> lines.skipChildren();
            }
        }
        return switch (type) {
            case SEGMENT -> new Piece.Segment(payload == null ? new byte[0] : payload);
            case FILE -> new Piece.Content(name, Math.max(0, size), payload);
            default -> throw new IOException("tar-split record of unknown type " + type);
        };
    }

    private String text(JsonToken value) throws IOException {
        if (value != JsonToken.VALUE_STRING) throw damaged();
        return lines.getText();
    }

    private static IOException damaged() {
        return new IOException("tar-split record is damaged");
    }

    @Override
    public void close() throws IOException {
        lines.close();
    }
}
