package io.balena.engine.distribution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.util.List;

/// The manifest of an image that is pushed: of Docker's schema 2, and byte for byte what dockerd makes of the same image, so that it has
/// the same digest.
///
/// @see <a href="https://distribution.github.io/distribution/spec/manifest-v2-2/">distribution, image manifest version 2, schema 2</a>
record PushedManifest(byte[] content) {
    private static final DefaultIndenter THREE_SPACES = new DefaultIndenter("   ", "\n");
    private static final DefaultPrettyPrinter AS_GO_DOES = new DefaultPrettyPrinter(Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
                    .withArrayEmptySeparator("")
                    .withObjectEmptySeparator(""))
            .withObjectIndenter(THREE_SPACES)
            .withArrayIndenter(THREE_SPACES);

    /// @param layers lowest first
    static PushedManifest of(Descriptor config, List<ObjectNode> layers) {
        ObjectNode manifest = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.SCHEMA2);
        manifest.set("config", layer(config));
        manifest.putArray("layers").addAll(layers);
        try {
            return new PushedManifest(Json.MAPPER.writer(AS_GO_DOES).writeValueAsBytes(manifest));
        } catch (JsonProcessingException e) {
            throw new AssertionError("a tree always becomes JSON", e);
        }
    }

    static ObjectNode layer(Descriptor blob) {
        return Json.MAPPER.createObjectNode()
                .put("mediaType", blob.mediaType())
                .put("size", blob.size())
                .put("digest", blob.digest().toString());
    }

    /// A layer under the descriptor that it came with, its keys in Docker's order.
    static ObjectNode foreign(JsonNode descriptor) {
        ObjectNode layer = layer(Descriptor.of(descriptor));
        for (String key : List.of("urls", "annotations", "platform")) {
            if (descriptor.has(key)) layer.set(key, descriptor.get(key));
        }
        return layer;
    }

    Digest digest() {
        return Digest.of(content);
    }
}
