package io.balena.engine.daemon;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/// Keeps two engines off the same data, whatever their pid files are called. The kernel lets go of it when the process ends.
final class DataRootLock implements AutoCloseable {
    private final FileChannel file;

    private DataRootLock(FileChannel file) {
        this.file = file;
    }

    /// @throws IOException when another engine has it
    static DataRootLock take(Path dataRoot) throws IOException {
        FileChannel file = FileChannel.open(dataRoot.resolve(".engine-lock"), CREATE, WRITE);
        if (file.tryLock() == null) {
            file.close();
            throw new IOException("another engine is using " + dataRoot);
        }
        return new DataRootLock(file);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
