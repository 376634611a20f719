package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.Digest;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The images of an OCI layout, from its `index.json` on.
///
/// Entries of one name are one image for several platforms, of which the one that suits is taken; so are those of an index within.
/// Entries without a name and a platform are images of their own.
final class OciArchive {
    /// An index may name an index; nobody needs more than a few of them within each other.
    private static final int DEEPEST = 5;

    private final ArchiveContents contents;
    private final Platform platform;

    OciArchive(ArchiveContents contents, Platform platform) {
        this.contents = contents;
        this.platform = platform;
    }

    /// @throws IOException when a blob that it names is missing
    List<ArchivedImage> images() throws IOException {
        byte[] json = contents.document(ArchiveLayout.OCI_INDEX);
        if (!(Manifest.parse(json, Manifest.OCI_INDEX) instanceof Manifest.Index index)) throw invalid("not an index");
        JsonNode listed = Json.MAPPER.readTree(json).path("manifests");
        Map<String, List<Manifest.Index.Entry>> byName = new LinkedHashMap<>();
        for (int i = 0; i < index.entries().size(); i++) {
            byName.computeIfAbsent(annotatedName(listed.path(i)), _ -> new ArrayList<>()).add(index.entries().get(i));
        }
        Map<Digest, List<ImageReference>> namesOf = new LinkedHashMap<>();
        byName.forEach((name, entries) -> {
            for (Descriptor chosen : chosen(entries)) {
                reference(name).ifPresentOrElse(
                        reference -> namesOf.computeIfAbsent(chosen.digest(), _ -> new ArrayList<>()).add(reference),
                        () -> namesOf.putIfAbsent(chosen.digest(), new ArrayList<>()));
            }
        });
        List<ArchivedImage> images = new ArrayList<>();
        for (var image : namesOf.entrySet()) images.add(image(image.getKey(), image.getValue(), DEEPEST));
        return images;
    }

    private List<Descriptor> chosen(List<Manifest.Index.Entry> entries) {
        boolean choice = entries.size() > 1 && entries.stream().anyMatch(entry -> entry.platform().isPresent());
        if (choice) return List.of(new Manifest.Index(entries).choose(platform));
        return entries.stream().map(Manifest.Index.Entry::manifest).toList();
    }

    private ArchivedImage image(Digest digest, List<ImageReference> names, int deepest) throws IOException {
        return switch (Manifest.parse(blob(digest), "")) {
            case Manifest.OfImage image -> ArchivedImage.of(blob(image.config().digest()),
                    image.layers().stream().map(layer -> ArchiveLayout.blob(layer.digest())).toList(), names);
            case Manifest.Index _ when deepest == 0 -> throw invalid("too many indexes within each other");
            case Manifest.Index index -> image(index.choose(platform).digest(), names, deepest - 1);
        };
    }

    private byte[] blob(Digest digest) throws IOException {
        try {
            return contents.document(ArchiveLayout.blob(digest));
        } catch (FileNotFoundException e) {
            throw new FileNotFoundException("content digest " + digest + ": not found");
        }
    }

    private static String annotatedName(JsonNode entry) {
        JsonNode annotations = entry.path("annotations");
        return annotations.path(ArchiveLayout.NAME_ANNOTATION).asText(annotations.path(ArchiveLayout.REF_NAME_ANNOTATION).asText(""));
    }

    /// A bare tag does not say of what repository; an annotation may be any text.
    private static Optional<ImageReference> reference(String annotated) {
        try {
            ImageReference read = ImageReference.parse(annotated);
            Images.checkName(read);
            return read.tag().map(read::withTag);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static DistributionException invalid(String why) {
        return new DistributionException.InvalidContent("invalid " + ArchiveLayout.OCI_INDEX + ": " + why, null);
    }
}
