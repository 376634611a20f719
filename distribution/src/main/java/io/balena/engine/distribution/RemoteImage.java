package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// What a registry has under a name.
///
/// @param mediaType of the manifest
/// @param size of the manifest in bytes
/// @param platforms it is for, as it spells them
public record RemoteImage(String mediaType, Digest digest, long size, List<OfferedPlatform> platforms) {
    private static final int LARGEST_CONFIG = 4 << 20;

    /// Empty for what is not said.
    public record OfferedPlatform(String architecture, String os, String osVersion, List<String> osFeatures, String variant) {
        static OfferedPlatform of(JsonNode node) {
            List<String> features = new ArrayList<>();
            node.path("os.features").forEach(feature -> features.add(feature.asText()));
            return new OfferedPlatform(node.path("architecture").asText(""), node.path("os").asText(""), node.path("os.version").asText(""),
                    List.copyOf(features), node.path("variant").asText(""));
        }

        boolean saysNothing() {
            return architecture.isEmpty() && os.isEmpty();
        }
    }

    static RemoteImage read(ImageReference name, Repository repository) throws IOException {
        String tagOrDigest = name.digest().map(Digest::toString).or(name::tag).orElseThrow();
        Cancellation cancellation = new Cancellation();
        Repository.Fetched fetched = repository.manifest(tagOrDigest, cancellation);
        Manifest manifest = Manifest.parse(fetched.content(), fetched.mediaType());
        JsonNode document = Json.MAPPER.readTree(fetched.content());
        List<OfferedPlatform> platforms = new ArrayList<>();
        switch (manifest) {
            case Manifest.Index _ -> document.path("manifests").forEach(entry -> platforms.add(OfferedPlatform.of(entry.path("platform"))));
            case Manifest.OfImage image -> platforms.add(OfferedPlatform.of(config(image.config(), repository, cancellation)));
        }
        // As dockerd: a configuration that names none, or cannot be read, is not worth an error.
        if (manifest instanceof Manifest.OfImage) platforms.removeIf(OfferedPlatform::saysNothing);
        String mediaType = document.path("mediaType").asText(fetched.mediaType());
        return new RemoteImage(mediaType, fetched.digest(), fetched.content().length, List.copyOf(platforms));
    }

    private static JsonNode config(Descriptor descriptor, Repository repository, Cancellation cancellation) throws IOException {
        if (descriptor.size() > LARGEST_CONFIG) return Json.MAPPER.createObjectNode();
        try (var blob = new BlobStream(repository, descriptor, RetryPolicy.of(1), cancellation, BlobStream.Watcher.NOBODY)) {
            byte[] json = blob.readAllBytes();
            blob.verify();
            return Json.MAPPER.readTree(json);
        } catch (RegistryFailure | DistributionException | com.fasterxml.jackson.core.JsonProcessingException e) {
            return Json.MAPPER.createObjectNode();
        }
    }
}
