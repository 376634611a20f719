package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Images that containers see at some place in their root. Each is seen through a layer of its own, `<container>-image-<n>`, which keeps
/// what the image consists of for as long as there is the container, whatever becomes of the image.
final class ImageMounts {
    private static final String INFIX = "-image-";

    private final Images images;
    private final LayerStore layers;

    ImageMounts(Images images, LayerStore layers) {
        this.images = images;
        this.layers = layers;
    }

    /// The container that a layer is there for.
    static String containerOf(String layer) {
        int infix = layer.indexOf(INFIX);
        return infix < 0 ? layer : layer.substring(0, infix);
    }

    private static String layerName(ContainerId id, int number) {
        return id.hex() + INFIX + number;
    }

    /// Makes the layers for a new container.
    ///
    /// @return the same mounts, those of images with the names of their layers
    /// @throws NotFound in Docker's words when there is no such image; what was made before is for [#remove]
    List<MountPoint> provide(ContainerId id, List<MountPoint> mounts) throws IOException {
        List<MountPoint> provided = new ArrayList<>();
        int number = 0;
        for (MountPoint mount : mounts) provided.add(mount.isImage() ? provide(layerName(id, number++), mount) : mount);
        return provided;
    }

    private MountPoint provide(String name, MountPoint mount) throws IOException {
        try {
            ContainerLayer layer = layers.createBareLayer(name, images.resolve(mount.image()).chain());
            return mount.in(name, Path.of(layer.driverData().get("MergedDir")));
        } catch (DistributionException.NoSuchImage e) {
            throw new NotFound("No such image: " + mount.image());
        }
    }

    /// Makes the images' files be there.
    ///
    /// @return the same mounts, from where they are now
    List<MountPoint> mount(List<MountPoint> mounts) throws IOException {
        List<MountPoint> mounted = new ArrayList<>();
        for (MountPoint mount : mounts) mounted.add(mount.isImage() ? mount.from(layer(mount).mount()) : mount);
        return mounted;
    }

    private ContainerLayer layer(MountPoint mount) throws IOException {
        return layers.containerLayer(mount.name()).orElseThrow(() -> new IOException("the layer " + mount.name() + " of the image "
                + mount.image() + " is missing"));
    }

    void unmount(MountPoint mount) throws IOException {
        Optional<ContainerLayer> layer = layers.containerLayer(mount.name());
        if (layer.isPresent()) layer.get().unmount();
    }

    /// The last goes first: whatever is left after a crash is found by counting.
    void remove(ContainerId id) throws IOException {
        int count = 0;
        while (layers.containerLayer(layerName(id, count)).isPresent()) count++;
        for (int number = count - 1; number >= 0; number--) layers.containerLayer(layerName(id, number)).orElseThrow().remove();
    }
}
