package io.balena.engine.graphdriver;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/// A layer being made. Nobody sees it before `commit`; `close` without `commit` removes it.
public final class StagedLayer implements AutoCloseable {
    StagedLayer() {}

    /// Extracts an uncompressed tar, read to its end, in one pass: the files, the tar-split record and the digest.
    ///
    /// @return the digest of all that was read
    /// @throws InvalidLayerException when the tar is malformed or would touch anything outside the layer
    public DiffId extract(InputStream tar) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Makes the layer durable and visible: content, `syncfs`, then its metadata. The layer is retained once for the caller, who
    /// releases it (or hands that use to an image).
    ///
    /// When the same chain was committed meanwhile, that layer is returned and this one removed.
    public Layer commit(Optional<ChainId> parent) throws IOException {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() throws IOException {}
}
