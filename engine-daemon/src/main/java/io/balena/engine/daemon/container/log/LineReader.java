package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/// Splits bytes into lines, of which the last may still be in the writing.
final class LineReader {
    private static final int BLOCK_BYTES = 32 * 1024;

    private final InputStream in;
    private byte[] buffer = new byte[BLOCK_BYTES];
    private int start;
    private int end;
    private int scanned;
    private long consumed;

    LineReader(InputStream in) {
        this.in = in;
    }

    /// @return the next whole line without its newline; null when there is none yet. A later call sees what was appended meanwhile.
    byte[] next() throws IOException {
        while (true) {
            for (; scanned < end; scanned++) {
                if (buffer[scanned] != '\n') continue;
                byte[] line = Arrays.copyOfRange(buffer, start, scanned);
                consumed += ++scanned - start;
                start = scanned;
                return line;
            }
            makeRoom();
            int read = in.read(buffer, end, buffer.length - end);
            if (read <= 0) return null;
            end += read;
        }
    }

    /// Bytes of the lines that were returned, newlines included.
    long consumed() {
        return consumed;
    }

    private void makeRoom() {
        if (start > 0) {
            System.arraycopy(buffer, start, buffer, 0, end - start);
            end -= start;
            scanned -= start;
            start = 0;
        }
        if (end == buffer.length) buffer = Arrays.copyOf(buffer, 2 * buffer.length);
    }
}
