package io.balena.engine.distribution;

import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.util.List;
import java.util.Optional;

/// An image as an archive describes it; of a delta, the image that it gives.
///
/// @param document its configuration, byte for byte
/// @param layers paths of its layers in the archive, lowest first, as many as the configuration names
/// @param names what it is to be called
/// @param delta present when the layers hold deltas
record ArchivedImage(byte[] document, ImageConfig config, List<String> layers, List<ImageReference> names, Optional<DeltaImage> delta) {
    /// @throws DistributionException.InvalidContent when it cannot be an image of this machine, in Docker's words
    static ArchivedImage of(byte[] document, List<String> layers, List<ImageReference> names) {
        ImageConfig config = ImageConfig.parse(document);
        String os = config.platform().os();
        if (!os.isEmpty() && !os.equals("linux")) throw invalid("cannot load " + os + " image on linux");
        Optional<DeltaImage> delta = DeltaImage.in(config);
        List<DiffId> expected = delta.map(DeltaImage::diffIds).orElse(config.diffIds());
        if (layers.size() != expected.size()) {
            throw invalid("invalid manifest, layers length mismatch: expected " + layers.size() + ", got " + expected.size());
        }
        return delta.map(of -> new ArchivedImage(of.document(), of.config(), layers, names, delta))
                .orElse(new ArchivedImage(document, config, layers, names, delta));
    }

    ImageId id() {
        return new ImageId(Digest.of(document));
    }

    private static DistributionException invalid(String message) {
        return new DistributionException.InvalidContent(message, null);
    }
}
