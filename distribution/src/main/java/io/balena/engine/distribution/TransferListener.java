package io.balena.engine.distribution;

/// Hears how the transfer of one layer goes. Called from several threads.
interface TransferListener {
    /// Others come first.
    void waiting();

    void retryingIn(int seconds);
}
