package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongConsumer;

/// A way to write down how to get from a base to something new.
public sealed interface DeltaFormat permits Librsync {
    /// The format of balenaEngine and of `rdiff`.
    DeltaFormat LIBRSYNC = new Librsync();

    /// Applies a delta as it is read: memory does not depend on its size, nor work on anything but the bytes read and given out.
    ///
    /// @param delta closed with the result
    /// @return the new bytes; its reads throw [InvalidDeltaException] for what is no delta of `base`
    InputStream patch(InputStream delta, Base base) throws IOException;

    /// Gets ready to make deltas from `base`, reading all of it once.
    ///
    /// @param progress hears how many bytes of it have been read, on the calling thread
    DeltaMaker maker(Base base, LongConsumer progress) throws IOException;
}
