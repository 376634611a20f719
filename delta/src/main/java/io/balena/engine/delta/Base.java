package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;

/// The bytes that a delta starts from, which whoever applies it has as well. For a delta of images: the tars of all the old image's layers,
/// one after the other, lowest first.
public interface Base {
    /// Bytes there are.
    long size();

    /// Opens it for reading anywhere.
    Reader open() throws IOException;

    /// All of it, in order. What is damaged is found out on the way.
    InputStream stream() throws IOException;

    /// Serves one thread at a time.
    interface Reader extends AutoCloseable {
        /// Reads exactly `length` bytes from `position` on.
        ///
        /// @throws IOException also when there are not as many
        void read(long position, byte[] to, int offset, int length) throws IOException;

        @Override
        void close() throws IOException;
    }
}
