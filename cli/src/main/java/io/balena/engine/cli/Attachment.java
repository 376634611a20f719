package io.balena.engine.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;

/// Our own input and output joined to those of a process in a container, over a connection that became raw.
final class Attachment implements AutoCloseable {
    private static final byte[] DETACH_KEYS = {0x10, 0x11};        // ctrl-p, ctrl-q

    private final Session session;
    private final EngineClient.Open stream;
    private final boolean terminal;
    private volatile boolean detached;

    /// @param terminal whether the process has a terminal: then its output is one stream, without frames
    Attachment(Session session, EngineClient.Open stream, boolean terminal) {
        this.session = session;
        this.stream = stream;
        this.terminal = terminal;
    }

    /// Sends our input until it ends, and then says so; the other direction stays open.
    ///
    /// The thread dies with the program: a read of a terminal cannot be interrupted.
    void sendInput() {
        Thread.ofPlatform().name("stdin").daemon().start(() -> {
            var connection = stream.connection();
            try {
                copyInput(session.console().in(), connection.rawOutput());
                if (detached) connection.close();
                else connection.endOutput();
            } catch (IOException _) {
                // The process may end without reading all of its input.
            }
        });
    }

    private void copyInput(InputStream in, OutputStream out) throws IOException {
        var buffer = new byte[32 * 1024];
        int keysSeen = 0;
        for (int n; (n = in.read(buffer)) >= 0; ) {
            if (terminal) {
                for (int i = 0; i < n; i++) {
                    keysSeen = buffer[i] == DETACH_KEYS[keysSeen] ? keysSeen + 1 : buffer[i] == DETACH_KEYS[0] ? 1 : 0;
                    if (keysSeen == DETACH_KEYS.length) {
                        detached = true;
                        return;
                    }
                }
            }
            out.write(buffer, 0, n);
        }
    }

    /// Prints what the process prints, until its output ends.
    ///
    /// @return false if the user detached instead
    boolean copyOutput() {
        var console = session.console();
        try {
            if (terminal) OutputStreams.copyRaw(stream.answer().body(), console.out());
            else OutputStreams.copyFrames(stream.answer().body(), console.out(), console.err());
        } catch (IOException e) {
            if (!detached) throw new UncheckedIOException(e);
        }
        return !detached;
    }

    @Override public void close() {
        try {
            stream.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
