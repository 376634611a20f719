package io.balena.engine.distribution;

import io.balena.engine.graphdriver.DiffId;
import java.util.List;

/// An image as an archive describes it.
///
/// @param document its configuration, byte for byte
/// @param layers paths of its layers in the archive, lowest first, as many as the configuration names
/// @param names what it is to be called
record ArchivedImage(byte[] document, ImageConfig config, List<String> layers, List<ImageReference> names) {
    /// Marks the images that balenaEngine makes of the difference between two images.
    private static final String DELTA_LABEL = "io.resin.delta.config";

    /// @throws DistributionException.InvalidContent when it cannot be an image of this machine, in Docker's words
    static ArchivedImage of(byte[] document, List<String> layers, List<ImageReference> names) {
        ImageConfig config = ImageConfig.parse(document);
        String os = config.platform().os();
        if (!os.isEmpty() && !os.equals("linux")) throw invalid("cannot load " + os + " image on linux");
        if (config.document().path("config").path("Labels").has(DELTA_LABEL)) {
            throw invalid("loading delta images is not supported by this engine yet");
        }
        List<DiffId> expected = config.diffIds();
        if (layers.size() != expected.size()) {
            throw invalid("invalid manifest, layers length mismatch: expected " + layers.size() + ", got " + expected.size());
        }
        return new ArchivedImage(document, config, layers, names);
    }

    private static DistributionException invalid(String message) {
        return new DistributionException.InvalidContent(message, null);
    }
}
