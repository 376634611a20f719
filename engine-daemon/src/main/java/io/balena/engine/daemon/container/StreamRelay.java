package io.balena.engine.daemon.container;

import io.balena.engine.runtime.client.AttachedStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Optional;

/// Carries bytes between a client and a process, both ways at once, at the pace of the slower.
final class StreamRelay {
    private static final int PIECE_BYTES = 32 * 1024;

    private StreamRelay() {}

    /// Returns when the process has ended and all it wrote was handed on, or when the client detached.
    ///
    /// @param detachKeys only for terminals
    /// @return whether the client detached
    static boolean run(AttachedStream process, InputStream fromClient, OutputStream toClient, boolean stdin, Optional<DetachKeys> detachKeys)
            throws IOException {
        var input = new Input(process, fromClient, detachKeys);
        Thread thread = stdin ? Thread.ofVirtual().name("stdin").start(input) : null;
        var piece = ByteBuffer.allocate(PIECE_BYTES);
        try {
            while (process.read(piece.clear()) >= 0) {
                toClient.write(piece.array(), 0, piece.position());
                toClient.flush();
            }
            return input.detached;
        } catch (IOException e) {
            if (input.detached) return true;
            throw e;
        } finally {
            if (thread != null) thread.interrupt();
            process.close();
        }
    }

    private static final class Input implements Runnable {
        private final AttachedStream process;
        private final InputStream fromClient;
        private final Optional<DetachKeys> keys;
        private volatile boolean detached;

        private Input(AttachedStream process, InputStream fromClient, Optional<DetachKeys> keys) {
            this.process = process;
            this.fromClient = fromClient;
            this.keys = keys;
        }

        @Override
        public void run() {
            byte[] piece = new byte[PIECE_BYTES];
            try {
                for (int read = fromClient.read(piece); read >= 0; read = fromClient.read(piece)) {
                    if (keys.isEmpty()) {
                        write(piece, read);
                        continue;
                    }
                    DetachKeys.Typed typed = keys.get().accept(piece, read);
                    write(typed.forwarded(), typed.forwarded().length);
                    if (typed.detached()) {
                        detached = true;
                        process.close(); // ends the reader, too
                        return;
                    }
                }
                process.closeStdin();
            } catch (IOException e) {
                // The process no longer reads, or the client has left; its output is another matter.
            }
        }

        private void write(byte[] bytes, int length) throws IOException {
            for (var rest = ByteBuffer.wrap(bytes, 0, length); rest.hasRemaining(); ) process.write(rest);
        }
    }
}
