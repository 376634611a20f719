package io.balena.engine.delta;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;

/// A base in memory.
record BytesBase(byte[] bytes) implements Base {
    @Override
    public long size() {
        return bytes.length;
    }

    @Override
    public Reader open() {
        return new Reader() {
            @Override
            public void read(long position, byte[] to, int offset, int length) throws IOException {
                if (position < 0 || position + length > bytes.length) throw new IOException("read beyond the base");
                System.arraycopy(bytes, (int) position, to, offset, length);
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public InputStream stream() {
        return new ByteArrayInputStream(bytes);
    }
}
