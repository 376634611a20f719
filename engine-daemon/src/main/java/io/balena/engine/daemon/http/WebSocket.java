package io.balena.engine.daemon.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Optional;

/// A WebSocket over a connection that was taken over: bytes of messages, whatever they are divided into; a message for each write.
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc6455">RFC 6455</a>
final class WebSocket {
    private static final String GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    private static final int FINAL = 0x80;
    private static final int MASKED = 0x80;
    private static final int CONTINUATION = 0;
    private static final int TEXT = 1;
    private static final int BINARY = 2;
    private static final int CLOSE = 8;
    private static final int PING = 9;
    private static final int PONG = 10;
    /// Longest frame of the kinds that are not data, in bytes.
    private static final int MOST_CONTROL_BYTES = 125;
    private static final byte[] PROTOCOL_ERROR = {(byte) (1002 >> 8), (byte) 1002};
    private static final byte[] NORMAL = {(byte) (1000 >> 8), (byte) 1000};

    private final InputStream in;
    private final OutputStream out;
    private boolean closeSent;

    WebSocket(InputStream fromClient, OutputStream toClient) {
        in = fromClient;
        out = toClient;
    }

    /// The head that accepts a client's handshake.
    ///
    /// @return empty when it is none
    static Optional<String> accept(HttpHeaders asked) {
        String key = asked.get(HttpHeaderNames.SEC_WEBSOCKET_KEY);
        if (key == null || !"13".equals(asked.get(HttpHeaderNames.SEC_WEBSOCKET_VERSION))) return Optional.empty();
        if (!asked.containsValue(HttpHeaderNames.UPGRADE, "websocket", true)) return Optional.empty();
        try {
            byte[] hash = MessageDigest.getInstance("SHA-1").digest((key.strip() + GUID).getBytes(US_ASCII));
            return Optional.of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                    + Base64.getEncoder().encodeToString(hash) + "\r\n\r\n");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    InputStream input() {
        return new Input();
    }

    OutputStream output() {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                send(BINARY, bytes, offset, length);
            }

            @Override
            public void flush() throws IOException {
                out.flush();
            }
        };
    }

    /// Says good-bye, unless that was done.
    void close() throws IOException {
        sendClose(NORMAL);
    }

    private synchronized void sendClose(byte[] reason) throws IOException {
        if (closeSent) return;
        send(CLOSE, reason, 0, reason.length);
        closeSent = true;
    }

    private synchronized void send(int kind, byte[] bytes, int offset, int length) throws IOException {
        if (closeSent) throw new ClientLeftException("the client has left");
        int lengthBytes = length <= MOST_CONTROL_BYTES ? 0 : length < 1 << 16 ? 2 : 8;
        byte[] frame = new byte[2 + lengthBytes + length];
        frame[0] = (byte) (FINAL | kind);
        frame[1] = (byte) (lengthBytes == 0 ? length : lengthBytes == 2 ? 126 : 127);
        for (int i = 0; i < lengthBytes; i++) frame[1 + lengthBytes - i] = (byte) ((long) length >> 8 * i);
        System.arraycopy(bytes, offset, frame, 2 + lengthBytes, length);
        out.write(frame, 0, frame.length);
        out.flush();
    }

    private final class Input extends InputStream {
        private final byte[] mask = new byte[4];
        private long left;
        private int at;
        private boolean ended;

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            while (left == 0 && !ended) nextFrame();
            if (ended) return -1;
            int count = in.read(target, offset, (int) Math.min(length, left));
            if (count < 0) throw new EOFException("a WebSocket that ends within a frame");
            for (int i = 0; i < count; i++) target[offset + i] ^= mask[at++ & 3];
            left -= count;
            return count;
        }

        private void nextFrame() throws IOException {
            int first = in.read();
            if (first < 0) {
                ended = true;
                return;
            }
            int second = byteOf();
            long length = second & 0x7f;
            if (length >= 126) {
                int lengthBytes = length == 126 ? 2 : 8;
                length = 0;
                for (int i = 0; i < lengthBytes; i++) length = length << 8 | byteOf();
            }
            int kind = first & 0xf;
            // A client's frames are masked, and nothing has been agreed about the three reserved bits.
            boolean wrong = (second & MASKED) == 0 || (first & 0x70) != 0 || length < 0 || kind >= CLOSE && length > MOST_CONTROL_BYTES;
            if (wrong) {
                refuse();
                return;
            }
            if (in.readNBytes(mask, 0, 4) < 4) throw new EOFException("a WebSocket that ends within a frame");
            at = 0;
            switch (kind) {
                case CONTINUATION, TEXT, BINARY -> left = length;
                case PING -> send(PONG, control((int) length), 0, (int) length);
                case PONG -> control((int) length);
                case CLOSE -> {
                    byte[] reason = control((int) length);
                    ended = true;
                    sendClose(reason);
                }
                default -> refuse();
            }
        }

        private void refuse() throws IOException {
            ended = true;
            sendClose(PROTOCOL_ERROR);
        }

        private int byteOf() throws IOException {
            int next = in.read();
            if (next < 0) throw new EOFException("a WebSocket that ends within a frame");
            return next;
        }

        private byte[] control(int length) throws IOException {
            byte[] content = in.readNBytes(length);
            for (int i = 0; i < content.length; i++) content[i] ^= mask[i & 3];
            return content;
        }
    }
}
