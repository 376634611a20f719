package io.balena.engine.benchmarks.delta;

import io.balena.engine.delta.Base;
import io.balena.engine.delta.DeltaFormat;
import io.balena.engine.delta.DeltaMaker;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/// What `rdiff` does with files, done by the engine's code, to be measured beside it.
///
/// ```
/// make OLD NEW DELTA
/// apply OLD DELTA NEW
/// ```
public final class DeltaFiles {
    private DeltaFiles() {}

    public static void main(String[] arguments) throws IOException {
        var base = new FileBase(Path.of(arguments[1]));
        Path out = Path.of(arguments[3]);
        switch (arguments[0]) {
            case "make" -> make(base, Path.of(arguments[2]), out);
            case "apply" -> apply(base, Path.of(arguments[2]), out);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static void make(Base base, Path target, Path out) throws IOException {
        try (DeltaMaker maker = DeltaFormat.LIBRSYNC.maker(base, _ -> {});
                InputStream in = Files.newInputStream(target);
                OutputStream delta = new BufferedOutputStream(Files.newOutputStream(out), 1 << 16)) {
            maker.make(in, delta, _ -> {});
        }
    }

    private static void apply(Base base, Path delta, Path out) throws IOException {
        byte[] buffer = new byte[1 << 17];
        try (InputStream patched = DeltaFormat.LIBRSYNC.patch(Files.newInputStream(delta), base); OutputStream target = Files.newOutputStream(out)) {
            for (int got = patched.read(buffer); got >= 0; got = patched.read(buffer)) target.write(buffer, 0, got);
        }
    }

    /// A base in a file.
    record FileBase(Path file) implements Base {
        @Override
        public long size() {
            return file.toFile().length();
        }

        @Override
        public Reader open() throws IOException {
            FileChannel channel = FileChannel.open(file);
            return new Reader() {
                @Override
                public void read(long position, byte[] to, int offset, int length) throws IOException {
                    for (ByteBuffer bytes = ByteBuffer.wrap(to, offset, length); bytes.hasRemaining(); ) {
                        int got = channel.read(bytes, position);
                        if (got < 0) throw new EOFException(file + " ends at " + position);
                        position += got;
                    }
                }

                @Override
                public void close() throws IOException {
                    channel.close();
                }
            };
        }

        @Override
        public InputStream stream() throws IOException {
            return new BufferedInputStream(Files.newInputStream(file), 1 << 17);
        }
    }
}
