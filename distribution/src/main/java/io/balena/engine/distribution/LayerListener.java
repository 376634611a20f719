package io.balena.engine.distribution;

/// Hears how the download of one layer goes.
interface LayerListener extends TransferListener {
    /// @param bytes of the blob, unpacked and on disk or about to be
    void extracting(long bytes);

    void complete();
}
