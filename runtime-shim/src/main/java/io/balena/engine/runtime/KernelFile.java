package io.balena.engine.runtime;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Reads files that the kernel makes up while they are read.
final class KernelFile {
    private KernelFile() {}

    /// Reads a file of `/proc` or `/sys`.
    ///
    /// `Files.readString` asks for a single byte first, since such files have no size; those below `/proc/sys` then take the second
    /// read for the end.
    static String read(String path) throws IOException {
        byte[] buffer = new byte[4096];
        int length = 0;
        try (var in = new FileInputStream(path)) {
            for (int count; (count = in.read(buffer, length, buffer.length - length)) > 0; ) {
                length += count;
                if (length == buffer.length) buffer = Arrays.copyOf(buffer, length * 2);
            }
        }
        return new String(buffer, 0, length, StandardCharsets.ISO_8859_1);
    }
}
