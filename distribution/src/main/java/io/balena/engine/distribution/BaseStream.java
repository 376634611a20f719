package io.balena.engine.distribution;

import io.balena.engine.graphdriver.LayerTar;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.UnaryOperator;

/// The tars of several layers as one stream.
final class BaseStream extends InputStream {
    private final Deque<LayerTar> next;
    private final UnaryOperator<IOException> meaning;
    private InputStream current = InputStream.nullInputStream();

    /// @param meaning says of what image a failure is
    BaseStream(List<LayerTar> tars, UnaryOperator<IOException> meaning) {
        this.next = new ArrayDeque<>(tars);
        this.meaning = meaning;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
        if (length == 0) return 0;
        try {
            while (true) {
                int count = current.read(to, offset, length);
                if (count > 0) return count;
                if (next.isEmpty()) return -1;
                current.close();
                current = InputStream.nullInputStream();
                current = next.remove().open();
            }
        } catch (IOException e) {
            throw meaning.apply(e);
        }
    }

    @Override
    public void close() throws IOException {
        current.close();
    }
}
