package io.balena.engine.distribution;

/// Hears how the upload of one layer goes. Called from several threads.
interface UploadListener {
    void waiting();

    /// @param bytes of the layer's tar, packed and on their way
    void pushing(long bytes);

    void retryingIn(int seconds);

    /// @param how in Docker's words, e.g. `Layer already exists`
    void complete(String how);
}
