package io.balena.engine.cli;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/// Copies what a container prints to where it belongs.
///
/// Without a terminal, both outputs come in one stream of frames:
///
/// ```
///  0        1 2 3    4 5 6 7            8 …
/// ┌────────┬────────┬──────────────────┬─────────
/// │ 1 out  │ 0 0 0  │ length, big end  │ payload
/// │ 2 err  │        │ first            │
/// └────────┴────────┴──────────────────┴─────────
/// ```
final class OutputStreams {
    private OutputStreams() {}

    static void copyFrames(InputStream frames, OutputStream out, OutputStream err) throws IOException {
        var in = new DataInputStream(frames);
        var buffer = new byte[32 * 1024];
        for (int kind; (kind = in.read()) >= 0; ) {
            in.skipNBytes(3);
            int left = in.readInt();
            var target = kind == 2 ? err : out;
            while (left > 0) {
                int n = in.read(buffer, 0, Math.min(left, buffer.length));
                if (n < 0) throw new EOFException("unexpected EOF");
                target.write(buffer, 0, n);
                left -= n;
            }
            target.flush();
        }
    }

    static void copyRaw(InputStream in, OutputStream out) throws IOException {
        var buffer = new byte[32 * 1024];
        for (int n; (n = in.read(buffer)) >= 0; out.flush()) out.write(buffer, 0, n);
    }
}
