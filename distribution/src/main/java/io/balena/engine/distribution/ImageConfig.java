package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.DiffId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// An image configuration as it came: the document and the layers it names, lowest first.
///
/// @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md">OCI image-spec, image configuration</a>
record ImageConfig(JsonNode document, List<DiffId> diffIds) {
    /// What overlay2 can stack, with room for a container's own two.
    private static final int MOST_LAYERS = 125;

    /// @throws DistributionException.InvalidContent when it is no configuration of a Linux image
    static ImageConfig parse(byte[] json) {
        JsonNode document = read(json);
        JsonNode listed = document.path("rootfs").path("diff_ids");
        boolean empty = listed.isMissingNode() || listed.isNull();
        if (!document.path("rootfs").isObject() || !(empty || listed.isArray())) throw invalid("invalid rootfs in image configuration");
        List<DiffId> diffIds = new ArrayList<>();
        for (JsonNode diffId : listed) {
            try {
                diffIds.add(DiffId.parse(diffId.asText("")));
            } catch (IllegalArgumentException e) {
                throw invalid("invalid rootfs in image configuration: " + e.getMessage());
            }
        }
        if (diffIds.size() > MOST_LAYERS) throw invalid("max depth exceeded: the image has " + diffIds.size() + " layers");
        return new ImageConfig(document, List.copyOf(diffIds));
    }

    Platform platform() {
        return Platform.of(document);
    }

    private static JsonNode read(byte[] json) {
        try {
            JsonNode document = Json.MAPPER.readTree(json);
            if (document == null || !document.isObject()) throw invalid("invalid image configuration: not a JSON object");
            return document;
        } catch (IOException e) {
            throw invalid("invalid image configuration: " + Json.reason(e));
        }
    }

    private static DistributionException invalid(String message) {
        return new DistributionException.InvalidContent(message, null);
    }
}
