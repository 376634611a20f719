package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class CompressionTest {
    private static final byte[] CONTENT = content(300_000);

    @ParameterizedTest
    @EnumSource
    void whatWasPackedComesOut(Compression compression) throws IOException {
        byte[] packed = pack(compression, CONTENT);
        assertEquals(compression, Compression.of(packed));
        assertArrayEquals(CONTENT, unpack(packed));
        assertArrayEquals(CONTENT, Compression.decompress(new Trickle(packed)).readAllBytes());
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void aTruncatedStreamIsCorrupt(Compression compression) throws IOException {
        byte[] packed = pack(compression, CONTENT);
        for (int length : new int[] {7, 20, packed.length / 2, packed.length - 1}) {
            assertThrows(CorruptStreamException.class, () -> unpack(Arrays.copyOf(packed, length)), () -> compression + " cut at " + length);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void garbageBehindTheMagicIsCorrupt(Compression compression) throws IOException {
        byte[] packed = pack(compression, CONTENT);
        new Random(1).nextBytes(packed);
        System.arraycopy(pack(compression, CONTENT), 0, packed, 0, 6);
        assertThrows(CorruptStreamException.class, () -> unpack(packed));
    }

    @ParameterizedTest
    @EnumSource
    void aFailureOfTheSourceIsNotCorruption(Compression compression) throws IOException {
        IOException broken = new IOException("connection reset");
        byte[] packed = pack(compression, CONTENT);
        InputStream source = new FilterInputStream(new ByteArrayInputStream(packed, 0, packed.length / 2)) {
            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                int count = super.read(buffer, offset, length);
                if (count < 0) throw broken;
                return count;
            }
        };
        assertSame(broken, assertThrows(IOException.class, () -> Compression.decompress(source).readAllBytes()));
    }

    @Test
    void anEmptyStreamIsAnEmptyTar() throws IOException {
        assertEquals(0, unpack(new byte[0]).length);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void streamsFollowEachOther(Compression compression) throws IOException {
        byte[] two = join(pack(compression, "one ".getBytes(UTF_8)), pack(compression, CONTENT));
        assertArrayEquals(join("one ".getBytes(UTF_8), CONTENT), unpack(two));
        assertArrayEquals(join("one ".getBytes(UTF_8), CONTENT), Compression.decompress(new Trickle(two)).readAllBytes());
    }

    @Test
    void zstdFramesThatAreToBeSkippedAreSkipped() throws IOException {
        byte[] skipped = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
        byte[] frame = pack(Compression.ZSTD, CONTENT);
        assertArrayEquals(CONTENT, unpack(join(skipped, frame)));
        assertArrayEquals(CONTENT, unpack(join(frame, skipped)));
    }

    /// A frame says in its header how much memory it takes; one that asks for gigabytes is refused before it gets any.
    @Test
    void zstdMayLookBack64MebibytesAndNoFurther() throws IOException {
        assertArrayEquals(CONTENT, unpack(zstdWithWindow(26)));
        var refused = assertThrows(CorruptStreamException.class, () -> unpack(zstdWithWindow(27)));
        assertEquals("zstd: Frame requires too much memory for decoding", refused.getMessage());
        assertThrows(CorruptStreamException.class, () -> unpack(zstdWithWindow(30)));
    }

    private static byte[] zstdWithWindow(int log) throws IOException {
        var out = new ByteArrayOutputStream();
        try (var zstd = new ZstdOutputStreamNoFinalizer(out)) {
            zstd.write(CONTENT);
        }
        byte[] frame = out.toByteArray();
        // magic 4, descriptor 1 (no content size, no dictionary), window: exponent above 2^10 in the upper five bits
        frame[5] = (byte) (log - 10 << 3);
        return frame;
    }

    @Test
    void gzipHeadersMayCarryNamesAndComments() throws IOException {
        GzipParameters parameters = new GzipParameters();
        parameters.setFileName("layer.tar");
        parameters.setComment("a comment");
        var out = new ByteArrayOutputStream();
        try (var gzip = new GzipCompressorOutputStream(out, parameters)) {
            gzip.write(CONTENT);
        }
        assertArrayEquals(CONTENT, unpack(out.toByteArray()));
    }

    @Test
    void whatFollowsAGzipMemberMustBeOne() throws IOException {
        byte[] packed = join(pack(Compression.GZIP, CONTENT), new byte[10]);
        assertEquals("gzip: invalid header", assertThrows(CorruptStreamException.class, () -> unpack(packed)).getMessage());
    }

    @Test
    void aGzipChecksumIsCompared() throws IOException {
        byte[] packed = pack(Compression.GZIP, CONTENT);
        packed[packed.length - 6] ^= 1;
        assertEquals("gzip: invalid checksum", assertThrows(CorruptStreamException.class, () -> unpack(packed)).getMessage());
    }

    static byte[] pack(Compression compression, byte[] content) throws IOException {
        if (compression == Compression.NONE) return content;
        if (compression == Compression.ZSTD) return Zstd.compress(content);
        var out = new ByteArrayOutputStream();
        try (OutputStream packing = switch (compression) {
            case GZIP -> new GZIPOutputStream(out);
            case BZIP2 -> new BZip2CompressorOutputStream(out);
            default -> new XZOutputStream(out, new LZMA2Options(0));
        }) {
            packing.write(content);
        }
        return out.toByteArray();
    }

    private static byte[] unpack(byte[] packed) throws IOException {
        try (InputStream in = Compression.decompress(new ByteArrayInputStream(packed))) {
            return in.readAllBytes();
        }
    }

    private static byte[] content(int size) {
        byte[] content = new byte[size];
        Random random = new Random(42);
        for (int i = 0; i < size; i++) content[i] = (byte) random.nextInt(12);
        return content;
    }

    private static byte[] join(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    /// Gives a byte or two at a time and never says what is available, like a slow network.
    private static final class Trickle extends ByteArrayInputStream {
        Trickle(byte[] content) {
            super(content);
        }

        @Override
        public synchronized int read(byte[] buffer, int offset, int length) {
            return super.read(buffer, offset, Math.min(length, 2));
        }

        @Override
        public synchronized int available() {
            return 0;
        }
    }
}
