package io.balena.engine.runtime.stream;

import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.wire.Message;

/// A connection that has become a client's line to the streams of a process.
public final class Attachment implements Connection.Receiver {
    /// Longest piece of input a client may announce, in bytes.
    static final int MAX_PIECE_BYTES = 1 << 24;

    private final Connection connection;
    private final ProcessStreams streams;
    private final boolean stdin;
    private final boolean stdout;
    private final boolean stderr;
    private final byte[] header = new byte[4];
    private int headerLength;
    private int pieceLeft;
    private boolean inputEnded;

    public Attachment(Connection connection, ProcessStreams streams, boolean stdin, boolean stdout, boolean stderr) {
        this.connection = connection;
        this.streams = streams;
        this.stdin = stdin;
        this.stdout = stdout;
        this.stderr = stderr;
    }

    boolean hasStdin() {
        return stdin;
    }

    boolean wants(int stream) {
        return stream == ProcessStreams.STDOUT ? stdout : stderr;
    }

    boolean isBehind() {
        return connection.isBehind();
    }

    void send(NativeBuffer buffer, int offset, int length) {
        connection.send(buffer, offset, length);
    }

    /// @param goOn whether the process has room for more input
    void takeInput(boolean goOn) {
        connection.wait(goOn);
    }

    /// The process has ended, and everything it wrote was sent.
    void end() {
        connection.finish();
    }

    @Override
    public void received(NativeBuffer buffer, int offset, int length) {
        int at = offset;
        int to = offset + length;
        byte[] one = new byte[1];
        while (at < to) {
            if (pieceLeft > 0) {
                int part = Math.min(pieceLeft, to - at);
                if (stdin && !inputEnded) streams.input(buffer, at, part);
                pieceLeft -= part;
                at += part;
                continue;
            }
            buffer.get(at++, one, 0, 1);
            header[headerLength++] = one[0];
            if (headerLength < header.length) continue;
            headerLength = 0;
            pieceLeft = Message.readInt(header, 0);
            if (pieceLeft < 0 || pieceLeft > MAX_PIECE_BYTES) {
                connection.close();
                return;
            }
            if (pieceLeft == 0) endInput();
        }
    }

    @Override
    public void drained() {
        streams.clientCaughtUp();
    }

    @Override
    public void closed() {
        endInput();
        streams.clientLeft(this);
    }

    private void endInput() {
        if (inputEnded) return;
        inputEnded = true;
        if (stdin) streams.inputEnded();
    }
}
