package io.balena.engine.distribution;

/// Hears how the upload of one layer goes.
interface UploadListener extends TransferListener {
    /// @param bytes of the layer's tar, packed and on their way
    void pushing(long bytes);

    /// @param how in Docker's words, e.g. `Layer already exists`
    void complete(String how);
}
