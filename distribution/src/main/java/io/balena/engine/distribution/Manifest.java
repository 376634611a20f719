package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/// What a registry keeps under a tag: one image, or a choice of images by platform.
sealed interface Manifest {
    String SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json";
    String SCHEMA2_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
    String SCHEMA2_CONFIG = "application/vnd.docker.container.image.v1+json";
    String SCHEMA2_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    String OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    String OCI_INDEX = "application/vnd.oci.image.index.v1+json";

    /// @param layers lowest first
    record OfImage(Descriptor config, List<Descriptor> layers) implements Manifest {
        private static final List<String> TYPES_OF_OLD_REGISTRIES =
                List.of("application/octet-stream", "application/json", "text/html", "");

        /// Registries also keep plugins, charts, signatures and other things in this form, which would fail later and less clearly.
        ///
        /// @throws DistributionException.InvalidContent when this is none of an image
        OfImage checked() {
            if (config.mediaType().contains("plugin")) {
                throw new DistributionException.InvalidContent(
                        "Encountered remote \"" + config.mediaType() + "\"(plugin) when fetching", null);
            }
            for (String type : Stream.concat(Stream.of(config), layers.stream()).map(Descriptor::mediaType).toList()) {
                boolean known = type.startsWith("application/vnd.oci.image") || type.startsWith("application/vnd.docker")
                        || TYPES_OF_OLD_REGISTRIES.contains(type);
                if (!known) throw new DistributionException.InvalidContent("unsupported media type " + type, null);
            }
            return this;
        }
    }

    /// A manifest list or an OCI index.
    record Index(List<Entry> entries) implements Manifest {
        /// @param platform empty when the index does not say
        record Entry(Descriptor manifest, Optional<Platform> platform) {}

        /// The entry that suits `wanted` best.
        ///
        /// @throws DistributionException.NotInRegistry when there is none
        Descriptor choose(Platform wanted) {
            for (Platform runnable : wanted.runnable()) {
                for (Entry entry : entries) {
                    if (entry.platform().filter(runnable::equals).isPresent()) return entry.manifest();
                }
            }
            // An index of one image need not name a platform.
            if (entries.size() == 1 && entries.getFirst().platform().isEmpty()) return entries.getFirst().manifest();
            throw new DistributionException.NotInRegistry("no matching manifest for " + wanted + " in the manifest list entries");
        }
    }

    /// Reads a manifest. Its own `mediaType` counts, then the one it was served with, then its shape.
    ///
    /// @throws DistributionException.InvalidContent when it is none we know
    static Manifest parse(byte[] json, String servedAs) {
        JsonNode root = read(json);
        if (root.path("schemaVersion").asInt() == 1) {
            throw new DistributionException.InvalidContent(
                    "Docker Image manifest version 2, schema 1 support has been removed: the image must be pushed again in the OCI"
                            + " or Docker schema 2 format. More information at https://docs.docker.com/go/deprecated-image-specs/",
                    null);
        }
        String mediaType = root.path("mediaType").asText("");
        return switch (mediaType.isEmpty() ? servedAs : mediaType) {
            case SCHEMA2, OCI_MANIFEST -> image(root);
            case SCHEMA2_LIST, OCI_INDEX -> index(root);
            case String other -> {
                if (root.path("config").isObject()) yield image(root);
                if (root.path("manifests").isArray()) yield index(root);
                throw new DistributionException.InvalidContent("unsupported manifest media type: " + other, null);
            }
        };
    }

    private static JsonNode read(byte[] json) {
        try {
            JsonNode root = Json.MAPPER.readTree(json);
            if (root == null || !root.isObject()) throw invalid("not a JSON object");
            return root;
        } catch (IOException e) {
            throw new DistributionException.InvalidContent("invalid manifest: " + Json.reason(e), e);
        }
    }

    private static OfImage image(JsonNode root) {
        // The same bytes could mean an image to one reader and a list to another (CVE-2021-41190).
        if (root.has("manifests")) throw invalid("both layers and manifests");
        return new OfImage(Descriptor.of(root.path("config")), each(root.path("layers")).map(Descriptor::of).toList());
    }

    private static Index index(JsonNode root) {
        if (root.has("config") || root.has("layers")) throw invalid("both layers and manifests");
        List<Index.Entry> entries = new ArrayList<>();
        for (JsonNode node : root.path("manifests")) {
            JsonNode platform = node.path("platform");
            Optional<Platform> named = platform.isObject() ? Optional.of(Platform.of(platform)) : Optional.empty();
            entries.add(new Index.Entry(Descriptor.of(node), named));
        }
        return new Index(List.copyOf(entries));
    }

    private static DistributionException invalid(String why) {
        return new DistributionException.InvalidContent("invalid manifest: " + why, null);
    }

    private static Stream<JsonNode> each(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false);
    }
}
