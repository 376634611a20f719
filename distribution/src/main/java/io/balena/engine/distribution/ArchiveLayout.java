package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;

/// Names in an archive of images.
///
/// ```
/// oci-layout, index.json         what OCI's readers begin with
/// manifest.json                  what Docker's begin with: configurations, layers and names of the images
/// repositories                   names and topmost layers, for readers older than manifest.json
/// blobs/sha256/<digest>          configurations, OCI manifests and layers, each once
/// ```
/// Docker before 25 wrote `<id>/layer.tar` and `<image>.json` instead of blobs; its own reader takes any path.
///
/// @see <a href="https://github.com/opencontainers/image-spec/blob/main/image-layout.md">OCI image-spec, image layout</a>
final class ArchiveLayout {
    static final String OCI_LAYOUT = "oci-layout";
    static final String OCI_INDEX = "index.json";
    static final String DOCKER_MANIFEST = "manifest.json";
    static final String REPOSITORIES = "repositories";
    static final String BLOBS = "blobs/sha256/";
    /// A whole name, as containerd and Docker write it.
    static final String NAME_ANNOTATION = "io.containerd.image.name";
    /// A tag or a whole name, as everybody else does.
    static final String REF_NAME_ANNOTATION = "org.opencontainers.image.ref.name";

    private ArchiveLayout() {}

    static String blob(Digest digest) {
        return BLOBS + digest.hex();
    }
}
