package io.balena.engine.distribution;

import java.io.IOException;
import java.util.Optional;

/// Pulls images from registries: verified, streamed, layers side by side, without temporary files.
public final class ImagePuller {
    /// Pulls `reference` and gives the image that name.
    ///
    /// @param platform `os[/arch[/variant]]`; empty for this machine's
    /// @throws DistributionException when the registry, the network or the content is at fault
    /// @throws java.io.InterruptedIOException when the calling thread was interrupted because the client has left
    public ImageId pull(ImageReference reference, Optional<String> platform, Credentials credentials, Progress progress)
            throws IOException {
        throw new UnsupportedOperationException();
    }
}
