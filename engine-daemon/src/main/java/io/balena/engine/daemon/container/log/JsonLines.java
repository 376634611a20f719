package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/// Docker's json-file: one JSON object a line.
final class JsonLines implements LogFormat {
    private static final int BLOCK_BYTES = 64 * 1024;

    @Override
    public EntryReader reader(InputStream in) {
        var lines = new LineReader(in);
        return new EntryReader() {
            @Override
            public LogEntry next() throws IOException {
                for (byte[] line = lines.next(); line != null; line = lines.next()) {
                    LogEntry entry = LogEntry.parse(line).orElse(null);
                    if (entry != null) return entry;
                }
                return null;
            }

            @Override
            public long consumed() {
                return lines.consumed();
            }
        };
    }

    @Override
    public TailStart tail(FileChannel file, int entries) throws IOException {
        long end = file.size();
        int found = -1; // the newline that ends the last whole line begins none
        var block = ByteBuffer.allocate(BLOCK_BYTES);
        for (long position = end; position > 0; ) {
            int length = (int) Math.min(BLOCK_BYTES, position);
            position -= length;
            block.clear().limit(length);
            for (long at = position; block.hasRemaining(); ) {
                int read = file.read(block, at);
                if (read < 0) break;
                at += read;
            }
            for (int i = block.position() - 1; i >= 0; i--) {
                if (block.get(i) == '\n' && ++found == entries) return new TailStart(position + i + 1, entries);
            }
        }
        return new TailStart(0, found + 1);
    }
}
