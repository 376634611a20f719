package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.util.ArrayList;
import java.util.List;

/// An image to be written into an archive.
///
/// @param config its configuration, byte for byte
/// @param tags the names that the archive gives it
/// @param layers lowest first
record SavedImage(Image image, byte[] config, List<ImageReference> tags, List<SavedLayer> layers) {
    static final String CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
    static final String LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";

    /// @param tarSize bytes of its tar
    record SavedLayer(ChainId chain, DiffId diffId, long tarSize) {
        Descriptor descriptor() {
            return new Descriptor(LAYER_TYPE, diffId.digest(), tarSize);
        }
    }

    Descriptor configDescriptor() {
        return new Descriptor(CONFIG_TYPE, image.id().digest(), config.length);
    }

    /// Its OCI manifest.
    byte[] manifest() {
        var manifest = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.OCI_MANIFEST);
        manifest.set("config", configDescriptor().toJson());
        var listed = manifest.putArray("layers");
        for (SavedLayer layer : layers) listed.add(layer.descriptor().toJson());
        return Json.bytes(manifest);
    }

    Descriptor manifestDescriptor() {
        byte[] manifest = manifest();
        return new Descriptor(Manifest.OCI_MANIFEST, Digest.of(manifest), manifest.length);
    }

    List<String> layerPaths() {
        List<String> paths = new ArrayList<>();
        for (SavedLayer layer : layers) paths.add(ArchiveLayout.blob(layer.diffId().digest()));
        return paths;
    }
}
