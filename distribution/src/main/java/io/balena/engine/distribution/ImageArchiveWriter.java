package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// Writes images as one tar that is Docker's archive and an OCI layout at once, see [ArchiveLayout].
///
/// What is small comes first, so that whoever reads the archive as a stream knows what the layers are for. The same images give the
/// same bytes.
final class ImageArchiveWriter {
    private final LayerStore layers;
    private final TarWriter tar;
    private final Set<Digest> written = new HashSet<>();

    ImageArchiveWriter(LayerStore layers, OutputStream archive) {
        this.layers = layers;
        this.tar = new TarWriter(archive);
    }

    /// @param images whose layers stay in the store meanwhile
    void write(List<SavedImage> images) throws IOException {
        tar.file(ArchiveLayout.OCI_LAYOUT, Json.bytes(Json.MAPPER.createObjectNode().put("imageLayoutVersion", "1.0.0")));
        tar.file(ArchiveLayout.OCI_INDEX, index(images));
        tar.file(ArchiveLayout.DOCKER_MANIFEST, dockerManifest(images));
        byte[] repositories = repositories(images);
        if (repositories.length > 0) tar.file(ArchiveLayout.REPOSITORIES, repositories);
        tar.folder("blobs/");
        tar.folder(ArchiveLayout.BLOBS);
        for (SavedImage image : images) {
            document(image.manifestDescriptor().digest(), image.manifest());
            document(image.image().id().digest(), image.config());
        }
        for (SavedImage image : images) {
            for (SavedImage.SavedLayer layer : image.layers()) layer(layer);
        }
        tar.end();
    }

    private void document(Digest digest, byte[] content) throws IOException {
        if (written.add(digest)) tar.file(ArchiveLayout.blob(digest), content);
    }

    private void layer(SavedImage.SavedLayer layer) throws IOException {
        if (!written.add(layer.diffId().digest())) return;
        try (InputStream content = layers.openTar(layer.chain())) {
            tar.file(ArchiveLayout.blob(layer.diffId().digest()), content, layer.tarSize());
        }
    }

    /// An entry for each name; one for an image without.
    private static byte[] index(List<SavedImage> images) {
        var index = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.OCI_INDEX);
        var entries = index.putArray("manifests");
        for (SavedImage image : images) {
            ObjectNode descriptor = image.manifestDescriptor().toJson();
            if (image.tags().isEmpty()) entries.add(descriptor);
            for (ImageReference tag : image.tags()) {
                ObjectNode named = descriptor.deepCopy();
                named.putObject("annotations")
                        .put(ArchiveLayout.NAME_ANNOTATION, tag.toString())
                        .put(ArchiveLayout.REF_NAME_ANNOTATION, tag.tag().orElseThrow());
                entries.add(named);
            }
        }
        return Json.bytes(index);
    }

    private static byte[] dockerManifest(List<SavedImage> images) {
        var manifest = Json.MAPPER.createArrayNode();
        for (SavedImage image : images) {
            ObjectNode item = manifest.addObject().put("Config", ArchiveLayout.blob(image.image().id().digest()));
            if (image.tags().isEmpty()) item.putNull("RepoTags");
            else for (ImageReference tag : image.tags()) item.withArray("RepoTags").add(tag.familiar());
            var paths = item.putArray("Layers");
            image.layerPaths().forEach(paths::add);
        }
        return Json.bytes(manifest);
    }

    /// Empty when there are no names.
    private static byte[] repositories(List<SavedImage> images) {
        Map<String, Map<String, String>> repositories = new TreeMap<>();
        for (SavedImage image : images) {
            if (image.layers().isEmpty()) continue;
            String top = image.layers().getLast().diffId().digest().hex();
            for (ImageReference tag : image.tags()) {
                repositories.computeIfAbsent(tag.familiarName(), _ -> new TreeMap<>()).put(tag.tag().orElseThrow(), top);
            }
        }
        return repositories.isEmpty() ? new byte[0] : Json.bytes(Json.MAPPER.valueToTree(repositories));
    }
}
