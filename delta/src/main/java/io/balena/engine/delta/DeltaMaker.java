package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.function.LongConsumer;

/// Makes deltas from one base, one after the other.
public interface DeltaMaker extends AutoCloseable {
    /// @param target the new bytes; read to their end
    /// @param delta where the delta goes, in one pass; not closed
    /// @param progress hears how many bytes of `target` are done, on the calling thread
    void make(InputStream target, OutputStream delta, LongConsumer progress) throws IOException;

    @Override
    void close();
}
