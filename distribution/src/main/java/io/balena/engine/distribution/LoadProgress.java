package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.TarMembers;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Tells how the layers of an archive come in: `Loading layer`, with bytes of the archive, as dockerd does.
///
/// @param progress who hears it
record LoadProgress(Progress progress) {
    private static final long STEP = 512_000;
    private static final Pattern ID = Pattern.compile("([0-9a-f]{12})[0-9a-f]{52}");

    /// @return `content`, watched while it is read
    InputStream following(TarMembers.Member layer, InputStream content) {
        return new Watched(id(layer.path()), layer.size(), content);
    }

    /// What its path calls the layer: which layer it is only its last byte tells.
    private static String id(String path) {
        Matcher named = ID.matcher(path);
        return named.find() ? named.group(1) : Digest.of(path.getBytes(UTF_8)).shortHex();
    }

    private final class Watched extends FilterInputStream {
        private final String id;
        private final long size;
        private long current;
        private long told;

        Watched(String id, long size, InputStream content) {
            super(content);
            this.id = id;
            this.size = size;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int count = super.read(buffer, offset, length);
            if (count > 0) advance(count);
            return count;
        }

        private void advance(int count) {
            current += count;
            if (current < told + STEP && current < size) return;
            told = current;
            progress.advance(id, "Loading layer", current, size);
        }
    }
}
