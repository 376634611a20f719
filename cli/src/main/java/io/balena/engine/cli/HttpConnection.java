package io.balena.engine.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

/// One HTTP/1.1 exchange with an engine, on a connection of its own.
///
/// The JDK's HTTP client knows neither unix sockets nor `Upgrade: tcp`, which attach and exec need; this does no more
/// than those: one request, one answer, and then the raw connection in both directions.
final class HttpConnection implements AutoCloseable {
    private final SocketChannel channel;
    private final Input input = new Input();
    private final Output output = new Output();

    HttpConnection(EngineAddress engine) throws IOException {
        channel = engine.connect();
    }

    /// An answer's head, and its body as the framing of the answer delimits it.
    record Answer(int status, Map<String, String> headers, InputStream body) {}

    /// Sends a request with a body that is already complete; `null` is no body.
    Answer send(String method, String target, Map<String, String> headers, byte[] body) throws IOException {
        var head = head(method, target, headers);
        if (body != null) head.append("Content-Length: ").append(body.length).append("\r\n");
        else if (!method.equals("GET") && !method.equals("HEAD")) head.append("Content-Length: 0\r\n");
        output.write(head.append("\r\n").toString().getBytes(ISO_8859_1));
        if (body != null) output.write(body);
        return answer(method);
    }

    /// Sends a request whose body is read while it is sent, in chunks.
    Answer sendChunked(String method, String target, Map<String, String> headers, InputStream body) throws IOException {
        var head = head(method, target, headers).append("Transfer-Encoding: chunked\r\n\r\n");
        output.write(head.toString().getBytes(ISO_8859_1));
        try {
            var chunk = new byte[64 * 1024];
            for (int n; (n = body.read(chunk)) > 0; ) {
                output.write((Integer.toHexString(n) + "\r\n").getBytes(ISO_8859_1));
                output.write(chunk, 0, n);
                output.write(new byte[] {'\r', '\n'});
            }
            output.write("0\r\n\r\n".getBytes(ISO_8859_1));
        } catch (SendFailed _) {
            // The engine may refuse early and close: what it said is still there to be read.
        }
        return answer(method);
    }

    /// The connection itself, after an answer that upgraded it.
    InputStream rawInput() {
        return input;
    }

    OutputStream rawOutput() {
        return output;
    }

    /// Tells the other side that no more comes, while its output can still be read.
    void endOutput() throws IOException {
        channel.shutdownOutput();
    }

    @Override public void close() throws IOException {
        channel.close();
    }

    private static StringBuilder head(String method, String target, Map<String, String> headers) {
        var head = new StringBuilder(method).append(' ').append(target).append(" HTTP/1.1\r\nHost: docker\r\n")
                .append("User-Agent: balenaEngine-Client/").append(Version.NUMBER).append(" (linux)\r\n");
        headers.forEach((name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        return head;
    }

    private Answer answer(String method) throws IOException {
        int status;
        Map<String, String> headers;
        do {
            var statusLine = input.line();
            var parts = statusLine.split(" ", 3);
            if (parts.length < 2 || !parts[0].startsWith("HTTP/1.")) throw new IOException("not an HTTP answer: " + statusLine);
            status = Integer.parseInt(parts[1]);
            headers = new TreeMap<>();
            for (String line; !(line = input.line()).isEmpty(); ) {
                int colon = line.indexOf(':');
                if (colon > 0) headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
            }
        } while (status == 100);
        return new Answer(status, headers, body(method, status, headers));
    }

    private InputStream body(String method, int status, Map<String, String> headers) {
        if (status == 101) return input;
        if (method.equals("HEAD") || status == 204 || status == 304) return InputStream.nullInputStream();
        if (headers.getOrDefault("transfer-encoding", "").equalsIgnoreCase("chunked")) return new ChunkedInput(input);
        var length = headers.get("content-length");
        return length == null ? input : new LimitedInput(input, Long.parseLong(length));
    }

    private static final class SendFailed extends IOException {
        SendFailed(IOException cause) { super(cause.getMessage(), cause); }
    }

    private final class Output extends OutputStream {
        @Override public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                for (var buffer = ByteBuffer.wrap(bytes, offset, length); buffer.hasRemaining(); ) channel.write(buffer);
            } catch (IOException e) {
                throw new SendFailed(e);
            }
        }
    }

    /// What the engine sends, buffered; reading returns as soon as anything is there.
    final class Input extends InputStream {
        private final ByteBuffer buffer = ByteBuffer.allocate(32 * 1024).limit(0);

        @Override public int read() throws IOException {
            return filled() ? buffer.get() & 0xff : -1;
        }

        @Override public int read(byte[] bytes, int offset, int length) throws IOException {
            if (length == 0) return 0;
            if (!filled()) return -1;
            int n = Math.min(length, buffer.remaining());
            buffer.get(bytes, offset, n);
            return n;
        }

        /// One line without its end. 64 KB is far beyond any header an engine sends.
        String line() throws IOException {
            var line = new StringBuilder();
            for (int c; (c = read()) != '\n'; ) {
                if (c < 0) throw new EOFException("the engine closed the connection");
                if (line.length() > 65_536) throw new IOException("a header line of more than 64 KB");
                if (c != '\r') line.append((char) c);
            }
            return line.toString();
        }

        private boolean filled() throws IOException {
            if (buffer.hasRemaining()) return true;
            buffer.clear();
            int n = channel.read(buffer);
            buffer.flip();
            return n > 0;
        }
    }
}
