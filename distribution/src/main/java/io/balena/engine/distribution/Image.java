package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import java.util.List;
import java.util.Optional;

/// An image of the local store.
///
/// @param config the configuration document, whose exact bytes give the id
/// @param size sum of the sizes of its layers in bytes
public record Image(ImageId id, JsonNode config, List<DiffId> diffIds, Optional<ImageId> parent, long size) {
    /// The topmost layer with all below it; empty for an image without layers.
    public Optional<ChainId> chain() {
        return ChainId.of(diffIds);
    }
}
