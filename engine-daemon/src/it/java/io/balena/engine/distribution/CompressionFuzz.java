package io.balena.engine.distribution;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;

/// Any bytes, as a packed tar: unpacked, or called corrupt; where the JDK unpacks gzip too, with the same result.
public final class CompressionFuzz {
    private static final int ENOUGH = 4 << 20;

    private CompressionFuzz() {}

    public static void fuzzerTestOneInput(byte[] packed) {
        byte[] ours;
        try (InputStream in = Compression.decompress(new ByteArrayInputStream(packed))) {
            ours = in.readNBytes(ENOUGH);
        } catch (CorruptStreamException e) {
            if (e.getMessage() == null) throw new IllegalStateException("an error without a message", e);
            return;
        } catch (IOException e) {
            throw new IllegalStateException("not called corrupt", e);
        }
        if (Compression.of(packed) != Compression.GZIP) return;
        try (InputStream in = new GZIPInputStream(new ByteArrayInputStream(packed))) {
            byte[] theirs = in.readNBytes(ENOUGH);
            // It stops without a word before a further member whose header it does not like.
            if (!Arrays.equals(Arrays.copyOf(ours, Math.min(ours.length, theirs.length)), theirs)) throw new IllegalStateException("the JDK unpacks something else");
        } catch (IOException e) {
            // it is more particular about headers
        }
    }
}
