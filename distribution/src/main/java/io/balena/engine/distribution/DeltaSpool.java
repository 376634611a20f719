package io.balena.engine.distribution;

import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.List;

/// A delta on its way into a layer: a tar tells the size of a file before its content, so the delta has to be whole first. It waits in a file
/// that has no name, so that nothing is left of it whatever happens.
final class DeltaSpool implements AutoCloseable {
    private static final String NAME = "delta";
    private static final int MODE = 0600;
    private static final int BUFFER = 64 * 1024;

    private final FileChannel file;

    /// @param folder on whose file system it may lie; made when missing
    DeltaSpool(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path path = Files.createTempFile(folder, "delta-", null);
        try {
            file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } finally {
            Files.delete(path);
        }
    }

    /// Where the delta is to be written; to be flushed.
    OutputStream out() {
        return new BufferedOutputStream(Channels.newOutputStream(file), BUFFER);
    }

    long size() throws IOException {
        return file.size();
    }

    /// The layer: a tar with the delta as its only file.
    InputStream layer() throws IOException {
        long size = file.size();
        file.position(0);
        InputStream start = new ByteArrayInputStream(TarWriter.header(NAME, '0', MODE, size));
        InputStream end = new ByteArrayInputStream(new byte[TarWriter.padding(size) + TarWriter.END]);
        return new SequenceInputStream(Collections.enumeration(List.of(start, Channels.newInputStream(file), end)));
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
