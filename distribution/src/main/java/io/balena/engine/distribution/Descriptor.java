package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;

/// What a manifest says about a blob or another manifest.
///
/// @param size bytes
/// @see <a href="https://github.com/opencontainers/image-spec/blob/main/descriptor.md">OCI image-spec, descriptors</a>
record Descriptor(String mediaType, Digest digest, long size) {
    static Descriptor of(JsonNode node) {
        JsonNode size = node.path("size");
        if (!node.isObject() || !size.canConvertToLong() || size.asLong() < 0) {
            throw new DistributionException.InvalidContent("invalid descriptor in manifest: " + shortened(node), null);
        }
        try {
            return new Descriptor(
                    node.path("mediaType").asText(""), Digest.parse(node.path("digest").asText("")), size.asLong());
        } catch (IllegalArgumentException e) {
            throw new DistributionException.InvalidContent("invalid descriptor in manifest: " + e.getMessage(), e);
        }
    }

    ObjectNode toJson() {
        return Json.MAPPER.createObjectNode().put("mediaType", mediaType).put("digest", digest.toString()).put("size", size);
    }

    private static String shortened(JsonNode node) {
        String text = node.toString();
        return text.length() <= 200 ? text : text.substring(0, 200) + "…";
    }
}
