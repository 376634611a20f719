package io.balena.engine.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Reads files of `/proc` and `/sys`, which the kernel makes up while they are read.
///
/// `Files.readString` asks for a single byte first, since such files have no size; those below `/proc/sys` then take the second
/// read for the end. Here the first read is large.
public final class KernelFile {
    private static final int FIRST_READ = 4096;

    private KernelFile() {}

    public static byte[] bytes(Path file) throws IOException {
        try (var channel = Files.newByteChannel(file)) {
            var read = ByteBuffer.allocate(FIRST_READ);
            while (channel.read(read) > 0) {
                if (!read.hasRemaining()) read = ByteBuffer.allocate(2 * read.capacity()).put(read.flip());
            }
            return Arrays.copyOf(read.array(), read.position());
        }
    }

    /// Its text, with all line ends.
    public static String text(Path file) throws IOException {
        return new String(bytes(file), StandardCharsets.UTF_8);
    }

    public static List<String> lines(Path file) throws IOException {
        return Arrays.asList(text(file).split("\n"));
    }
}
