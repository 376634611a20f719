package io.balena.engine.distribution;

/// Hears how the download of one layer goes. Called from several threads.
interface LayerListener {
    void waiting();

    /// @param bytes of the blob, unpacked and on disk or about to be
    void extracting(long bytes);

    void retryingIn(int seconds);

    void complete();
}
