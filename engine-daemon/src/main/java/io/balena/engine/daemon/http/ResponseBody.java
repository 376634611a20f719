package io.balena.engine.daemon.http;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Objects;

/// Bytes on their way to the client: gathered into pieces, each handed on in an array of its own.
final class ResponseBody extends OutputStream {
    private static final int PIECE = 16 * 1024;

    /// Where the pieces go.
    interface Sink {
        /// Blocks while the client is slow.
        ///
        /// @param piece is the sink's from now on; `null` for a flush without bytes
        void send(byte[] piece) throws IOException;
    }

    private final Sink sink;
    private final boolean immediate;
    private byte[] gathered;
    private int length;

    /// @param immediate each write is sent at once
    ResponseBody(Sink sink, boolean immediate) {
        this.sink = sink;
        this.immediate = immediate;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] source, int offset, int count) throws IOException {
        Objects.checkFromIndexSize(offset, count, source.length);
        while (count > 0) {
            if (gathered == null) gathered = new byte[immediate ? Math.min(count, PIECE) : PIECE];
            int room = Math.min(count, gathered.length - length);
            System.arraycopy(source, offset, gathered, length, room);
            length += room;
            offset += room;
            count -= room;
            if (length == gathered.length) send();
        }
        if (immediate) send();
    }

    @Override
    public synchronized void flush() throws IOException {
        if (length == 0) sink.send(null);
        else send();
    }

    private void send() throws IOException {
        if (length == 0) return;
        byte[] piece = length == gathered.length ? gathered : java.util.Arrays.copyOf(gathered, length);
        gathered = null;
        length = 0;
        sink.send(piece);
    }
}
