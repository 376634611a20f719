package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// The images of a data root and the names they carry: `image/overlay2/{imagedb,repositories.json}`.
///
/// Safe for use by many threads.
public final class Images {
    /// Opens the store; retains the layers of every image in `layers`.
    public static Images open(Path dataRoot, LayerStore layers) throws IOException {
        throw new UnsupportedOperationException();
    }

    public List<Image> list() {
        throw new UnsupportedOperationException();
    }

    /// Finds by name (`busybox`, `busybox:1`, `busybox@sha256:…`), by id, or by an unambiguous prefix of an id.
    ///
    /// @throws DistributionException.NoSuchImage `No such image: …`
    public Image resolve(String nameOrId) {
        throw new UnsupportedOperationException();
    }

    public Optional<Image> find(ImageId id) {
        throw new UnsupportedOperationException();
    }

    /// All references that name `id`, tags and digests, sorted.
    public List<ImageReference> references(ImageId id) {
        throw new UnsupportedOperationException();
    }

    /// Gives `id` the name `reference` (with its tag or digest), taking it from whichever image had it.
    public void tag(ImageId id, ImageReference reference) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Takes a name away, or removes the image, as `DELETE /images/{name}` does.
    ///
    /// @param usedBy says who uses an image, for the conflict: e.g. `container 0123456789ab`, and whether that one is running
    /// @return what happened, in order: untagged references, deleted image ids and layers
    /// @throws DistributionException.Conflict with Docker's words when containers or several repositories refer to it
    public List<Removal> remove(String nameOrId, boolean force, boolean prune, ImageUsers usedBy) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Makes an image of one layer from a tar (plain or compressed), as `docker import` does.
    ///
    /// @param changes Dockerfile instructions to apply to its configuration, e.g. `CMD ["sh"]`
    public ImageId importTar(InputStream tar, Optional<ImageReference> name, String message, List<String> changes)
            throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Who runs or keeps containers from an image.
    public interface ImageUsers {
        List<User> usersOf(ImageId id);

        record User(String containerId, boolean running) {}
    }

    public sealed interface Removal {
        record Untagged(ImageReference reference) implements Removal {}

        record Deleted(Digest imageOrLayer) implements Removal {}
    }
}
