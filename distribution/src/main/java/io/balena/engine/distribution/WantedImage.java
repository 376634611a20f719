package io.balena.engine.distribution;

import java.util.List;
import java.util.Optional;

/// What the manifest that a pull has found leads to.
sealed interface WantedImage extends AutoCloseable {
    ImageId id();

    @Override
    default void close() {}

    /// It is here, and has got its names.
    record Here(ImageId id) implements WantedImage {}

    /// It is to be fetched.
    ///
    /// @param document its configuration, byte for byte
    /// @param blobs of its layers, as many as the configuration names
    /// @param base of what the blobs hold deltas; empty for an image that is fetched whole
    record Missing(ImageId id, byte[] document, ImageConfig config, List<Descriptor> blobs, Optional<DeltaBase> base) implements WantedImage {
        /// @throws DistributionException.InvalidContent when it is no image that this engine can have
        Missing checked() {
            String os = config.platform().os();
            if (!os.isEmpty() && !os.equals("linux")) {
                throw new DistributionException.InvalidContent("image operating system \"" + os + "\" cannot be used on this platform", null);
            }
            if (config.diffIds().size() != blobs.size()) {
                throw new DistributionException.InvalidContent("layers from manifest don't match image configuration", null);
            }
            return this;
        }

        @Override
        public void close() {
            base.ifPresent(DeltaBase::close);
        }
    }
}
