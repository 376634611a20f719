package io.balena.engine.distribution;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.Locale;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.tukaani.xz.XZInputStream;

/// How a tar is packed, told by its first bytes as Docker does: media types and file names lie.
public enum Compression {
    NONE {
        @Override
        InputStream open(InputStream packed) {
            return packed;
        }
    },
    GZIP {
        @Override
        InputStream open(InputStream packed) {
            return new GzipInputStream(packed);
        }
    },
    BZIP2 {
        @Override
        InputStream open(InputStream packed) throws IOException {
            return new BZip2CompressorInputStream(packed, true);
        }
    },
    XZ {
        @Override
        InputStream open(InputStream packed) throws IOException {
            return new XZInputStream(packed, largestXzKibibytes());
        }
    },
    ZSTD {
        @Override
        InputStream open(InputStream packed) throws IOException {
            return new ZstdInputStreamNoFinalizer(packed).setLongMax(LARGEST_WINDOW_LOG);
        }
    };

    /// How far zstd may look back, as a power of two, in memory outside the heap. `zstd -19` asks for 8 MiB.
    private static final int LARGEST_WINDOW_LOG = 26;
    private static final int LONGEST_MAGIC = 6;

    abstract InputStream open(InputStream packed) throws IOException;

    /// The tar within `packed`. Closing it closes `packed`.
    ///
    /// @throws CorruptStreamException, from here or from a later read, when it is not what its first bytes promised; the failures of
    ///     `packed` itself come through as they are
    public static InputStream decompress(InputStream packed) throws IOException {
        Source source = new Source(packed);
        byte[] magic = source.readNBytes(LONGEST_MAGIC);
        InputStream whole = new SequenceInputStream(new ByteArrayInputStream(magic), source);
        Compression compression = of(magic);
        try {
            return new Unpacked(compression.open(whole), source, compression);
        } catch (IOException | RuntimeException e) {
            throw corruptUnlessFailed(source, compression, e);
        }
    }

    static Compression of(byte[] start) {
        if (startsWith(start, 0x1f, 0x8b, 0x08)) return GZIP;
        if (startsWith(start, 0x28, 0xb5, 0x2f, 0xfd)) return ZSTD;
        boolean skippableFrame = start.length >= 4 && (start[0] & 0xf0) == 0x50 && start[1] == 0x2a && start[2] == 0x4d && start[3] == 0x18;
        if (skippableFrame) return ZSTD;
        if (startsWith(start, 'B', 'Z', 'h')) return BZIP2;
        if (startsWith(start, 0xfd, '7', 'z', 'X', 'Z', 0x00)) return XZ;
        return NONE;
    }

    /// Its dictionary lies on the heap, which is small: rather refuse `xz -9`, with its 65 MiB, than starve everybody else.
    private static int largestXzKibibytes() {
        return (int) Math.min(80 << 10, (Runtime.getRuntime().maxMemory() >> 10) / 3);
    }

    private static boolean startsWith(byte[] start, int... magic) {
        if (start.length < magic.length) return false;
        for (int i = 0; i < magic.length; i++) {
            if ((start[i] & 0xff) != magic[i]) return false;
        }
        return true;
    }

    private static IOException corruptUnlessFailed(Source source, Compression compression, Exception e) throws IOException {
        if (source.failed && e instanceof IOException io) throw io;
        if (e instanceof CorruptStreamException corrupt) return corrupt;
        return new CorruptStreamException(compression.name().toLowerCase(Locale.ROOT) + ": " + e.getMessage(), e);
    }

    /// Passes reads on, and has what goes wrong in them explained.
    private abstract static class Watched extends FilterInputStream {
        Watched(InputStream in) {
            super(in);
        }

        /// @return what to throw instead of `e`
        abstract IOException failed(Exception e) throws IOException;

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            try {
                return in.read(buffer, offset, length);
            } catch (IOException | RuntimeException e) {
                throw failed(e);
            }
        }
    }

    /// Remembers whether reading failed below the decompressor.
    private static final class Source extends Watched {
        private boolean failed;

        Source(InputStream in) {
            super(in);
        }

        @Override
        IOException failed(Exception e) {
            if (e instanceof RuntimeException unexpected) throw unexpected;
            failed = true;
            return (IOException) e;
        }
    }

    /// Decompressors say "corrupt" in many ways, some of them unchecked; this one says it in one.
    private static final class Unpacked extends Watched {
        private final Source source;
        private final Compression compression;

        Unpacked(InputStream in, Source source, Compression compression) {
            super(in);
            this.source = source;
            this.compression = compression;
        }

        @Override
        IOException failed(Exception e) throws IOException {
            return corruptUnlessFailed(source, compression, e);
        }
    }
}
