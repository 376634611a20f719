package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// The images of an archive as its `manifest.json` tells:
/// ```json
/// [{"Config":"<path>","RepoTags":["app:1"],"Layers":["<path>", …]}]
/// ```
final class DockerArchive {
    private DockerArchive() {}

    /// @throws IOException when a file that it names is missing
    static List<ArchivedImage> images(ArchiveContents contents) throws IOException {
        List<ArchivedImage> images = new ArrayList<>();
        for (JsonNode item : manifest(contents.document(ArchiveLayout.DOCKER_MANIFEST))) {
            if (!item.path("Config").isTextual()) throw invalid("an image without Config");
            byte[] config = contents.document(item.path("Config").asText());
            images.add(ArchivedImage.of(config, texts(item.path("Layers")), names(item.path("RepoTags"))));
        }
        return images;
    }

    private static JsonNode manifest(byte[] json) {
        try {
            JsonNode manifest = Json.MAPPER.readTree(json);
            if (manifest.isArray() || manifest.isNull()) return manifest;
            throw invalid("not a list of images");
        } catch (IOException e) {
            throw invalid(Json.reason(e));
        }
    }

    private static List<ImageReference> names(JsonNode tags) {
        List<ImageReference> names = new ArrayList<>();
        for (String text : texts(tags)) {
            ImageReference name = Catalogue.read(text);
            if (name.tag().isEmpty()) throw new DistributionException.InvalidContent("invalid tag \"" + text + "\"", null);
            Images.checkName(name);
            names.add(name.withTag(name.tag().get()));
        }
        return names;
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        for (JsonNode text : list) {
            if (!text.isTextual()) throw invalid("a name that is no text");
            texts.add(text.asText());
        }
        return texts;
    }

    private static DistributionException invalid(String why) {
        return new DistributionException.InvalidContent("invalid " + ArchiveLayout.DOCKER_MANIFEST + ": " + why, null);
    }
}
