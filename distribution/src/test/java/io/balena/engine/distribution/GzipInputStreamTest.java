package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.linux.IsalInflater;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Each with the JDK's inflater and, where it is installed, ISA-L's.
class GzipInputStreamTest {
    enum Engine {
        ZLIB(RawInflater.Zlib::new),
        ISAL(() -> {
            assumeTrue(IsalInflater.isAvailable(), "libisal.so.2 is not installed");
            return new RawInflater.Isal();
        });

        private final Supplier<RawInflater> maker;

        Engine(Supplier<RawInflater> maker) {
            this.maker = maker;
        }

        byte[] unpack(InputStream packed) throws IOException {
            try (var in = new GzipInputStream(packed, maker.get())) {
                return in.readAllBytes();
            }
        }
    }

    private final Random random = new Random(7);

    @ParameterizedTest
    @EnumSource
    void whatWasPackedComesOutHoweverItIsCut(Engine engine) throws IOException {
        for (int level : new int[] {0, 1, 6, 9}) {
            for (int size : new int[] {0, 1, 300, 70_000, 1_500_000}) {
                byte[] content = content(size);
                byte[] packed = gzip(content, level);
                assertArrayEquals(content, engine.unpack(new ByteArrayInputStream(packed)), () -> size + " bytes at level " + level);
                assertArrayEquals(content, engine.unpack(new Pieces(packed)), () -> size + " bytes in pieces at level " + level);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void manyMembersAreReadAsOne(Engine engine) throws IOException {
        var packed = new ByteArrayOutputStream();
        var content = new ByteArrayOutputStream();
        for (int i = 0; i < 400; i++) {
            byte[] part = content(random.nextInt(900));
            content.write(part);
            packed.write(gzip(part, 1 + i % 9));
        }
        assertArrayEquals(content.toByteArray(), engine.unpack(new ByteArrayInputStream(packed.toByteArray())));
        assertArrayEquals(content.toByteArray(), engine.unpack(new Pieces(packed.toByteArray())));
    }

    @ParameterizedTest
    @EnumSource
    void aStreamCutAnywhereIsCorrupt(Engine engine) throws IOException {
        byte[] packed = gzip(content(2_000), 6);
        for (int length = 0; length < packed.length; length++) {
            byte[] cut = Arrays.copyOf(packed, length);
            assertThrows(CorruptStreamException.class, () -> engine.unpack(new ByteArrayInputStream(cut)), () -> "cut at " + cut.length);
        }
    }

    @ParameterizedTest
    @EnumSource
    void zerosInAbundanceComeOutInBoundedMemory(Engine engine) throws IOException {
        byte[] packed = gzip(new byte[64 << 20], 9);
        try (var in = new GzipInputStream(new ByteArrayInputStream(packed), engine.maker.get())) {
            long size = 0;
            byte[] buffer = new byte[8192];
            for (int count = in.read(buffer); count > 0; count = in.read(buffer)) size += count;
            assertEquals(64 << 20, size);
        }
    }

    @Test
    void bothEnginesThinkTheSameOfDamagedStreams() throws IOException {
        assumeTrue(IsalInflater.isAvailable(), "libisal.so.2 is not installed");
        for (int i = 0; i < 4000; i++) {
            byte[] packed = gzip(content(random.nextInt(40_000)), random.nextInt(10));
            for (int damages = 1 + random.nextInt(3); damages > 0; damages--) {
                packed[10 + random.nextInt(packed.length - 10)] ^= (byte) (1 << random.nextInt(8));
            }
            Optional<byte[]> byZlib = unpackIfIntact(Engine.ZLIB, packed);
            Optional<byte[]> byIsal = unpackIfIntact(Engine.ISAL, packed);
            assertEquals(byZlib.isPresent(), byIsal.isPresent(), "stream " + i);
            if (byZlib.isPresent()) assertArrayEquals(byZlib.get(), byIsal.get(), "stream " + i);
        }
    }

    private static Optional<byte[]> unpackIfIntact(Engine engine, byte[] packed) throws IOException {
        try {
            return Optional.of(engine.unpack(new ByteArrayInputStream(packed)));
        } catch (CorruptStreamException e) {
            return Optional.empty();
        }
    }

    /// Runs of every length, so that matches are short and long, near and far.
    private byte[] content(int size) {
        byte[] content = new byte[size];
        random.nextBytes(content);
        for (int at = 1; at < size; ) {
            int length = Math.min(size - at, 1 + random.nextInt(400));
            if (random.nextInt(3) > 0) System.arraycopy(content, random.nextInt(at), content, at, Math.min(length, at));
            at += length;
        }
        return content;
    }

    private static byte[] gzip(byte[] content, int level) throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(packed) {
            Deflater deflater() {
                return def;
            }
        }) {
            out.deflater().setLevel(level);
            out.write(content);
        }
        return packed.toByteArray();
    }

    /// Gives few bytes at a time, sometimes one, sometimes thousands.
    private final class Pieces extends ByteArrayInputStream {
        Pieces(byte[] bytes) {
            super(bytes);
        }

        @Override
        public int read(byte[] buffer, int offset, int length) {
            return super.read(buffer, offset, Math.min(length, 1 + (random.nextBoolean() ? random.nextInt(12) : random.nextInt(5000))));
        }
    }
}
