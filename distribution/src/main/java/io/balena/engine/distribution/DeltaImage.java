package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.util.List;
import java.util.Optional;

/// What the configuration of a delta says in its labels. A delta is an ordinary image otherwise, and lies in ordinary registries and archives:
/// as many layers as the target has, each holding one file with the delta of that layer, or nothing where base and target agree from the
/// lowest layer up to that one.
///
/// @param base id of the image that it starts from, as it stands there
/// @param document the target's configuration, byte for byte
/// @param config the same, read
record DeltaImage(String base, byte[] document, ImageConfig config) {
    static final String BASE_LABEL = "io.resin.delta.base";
    static final String TARGET_LABEL = "io.resin.delta.config";

    /// @return empty for an image that is no delta
    /// @throws DistributionException.InvalidContent when the target's configuration is none
    static Optional<DeltaImage> in(ImageConfig config) {
        JsonNode labels = config.document().path("config").path("Labels");
        if (!labels.path(BASE_LABEL).isTextual() || !labels.path(TARGET_LABEL).isTextual()) return Optional.empty();
        byte[] document = labels.path(TARGET_LABEL).textValue().getBytes(UTF_8);
        return Optional.of(new DeltaImage(labels.path(BASE_LABEL).textValue(), document, ImageConfig.parse(document)));
    }

    /// The image that applying it gives.
    ImageId target() {
        return new ImageId(Digest.of(document));
    }

    List<DiffId> diffIds() {
        return config.diffIds();
    }

    /// @throws DistributionException.InvalidContent when the label names no image
    ImageId baseId() {
        try {
            return ImageId.parse(base);
        } catch (IllegalArgumentException e) {
            throw new DistributionException.InvalidContent("parsing base image \"" + base + "\": " + e.getMessage(), e);
        }
    }
}
