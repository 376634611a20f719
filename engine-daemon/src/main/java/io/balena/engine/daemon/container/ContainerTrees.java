package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.linux.MountView;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/// Gives access to the files of containers, running, stopped or never started. As in Docker, with volumes, bind mounts and the files about
/// the network, and without what only the container's own mounts hold: tmpfs, `/proc`, `/sys`, `/dev`.
final class ContainerTrees {
    private static final Logger LOG = System.getLogger(ContainerTrees.class.getName());

    private final ContainerStore store;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final EtcFiles etc;
    private final IdentityMapping owners;
    private final AtomicLong opened = new AtomicLong();

    ContainerTrees(ContainerStore store, LayerStore layers, ContainerVolumes volumes, EtcFiles etc, IdentityMapping owners) {
        this.store = store;
        this.layers = layers;
        this.volumes = volumes;
        this.etc = etc;
        this.owners = owners;
    }

    /// @param named what the client calls the container
    /// @throws Conflict when it is being removed
    ContainerTree open(Container container, String named) throws IOException {
        try (var _ = container.lock()) {
            ContainerRecord record = container.record();
            if (record.state() instanceof ContainerState.Removing) {
                throw new Conflict("You cannot copy files of container " + record.id() + " which is being removed");
            }
            ContainerLayer layer = layers.containerLayer(record.id().hex())
                    .orElseThrow(() -> new SystemFailure("the writable layer of container " + record.id() + " is missing", null));
            return open(record, layer.view(), named);
        }
    }

    private ContainerTree open(ContainerRecord record, ContainerLayer.View layer, String named) throws IOException {
        // It may use its volumes itself, and several may be looking.
        String user = record.id() + " seen by " + opened.incrementAndGet();
        Map<String, ContainerLayer.View> images = new HashMap<>();
        Runnable close = () -> {
            images.values().forEach(ContainerTrees::close);
            volumes.unmount(record, user);
        };
        try {
            volumes.mount(record, user);
            for (MountPoint mount : record.mounts()) if (mount.isImage()) images.put(mount.name(), image(mount));
            BindSources.prepare(record.mounts(), owners);
            var mounts = MountView.open(layer.root(), record.host().readonlyRootfs(), parts(record, images));
            return new ContainerTree(named, mounts, layer, owners, close);
        } catch (IOException | RuntimeException e) {
            close.run();
            layer.close();
            throw e;
        }
    }

    private static void close(ContainerLayer.View image) {
        try {
            image.close();
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Unmounting an image in a container: {0}", e.getMessage());
        }
    }

    private ContainerLayer.View image(MountPoint mount) throws IOException {
        return layers.containerLayer(mount.name()).orElseThrow(() -> new SystemFailure("the layer " + mount.name() + " of an image is missing", null)).view();
    }

    /// Outer folders first, as when it starts.
    private List<MountView.Part> parts(ContainerRecord record, Map<String, ContainerLayer.View> images) {
        List<MountView.Part> parts = new ArrayList<>();
        for (MountPoint mount : record.mounts()) {
            if (mount.type() == MountPoint.Type.TMPFS) continue;
            Path source = mount.isImage() ? images.get(mount.name()).root() : Path.of(mount.source());
            parts.add(new MountView.Part(source, mount.subpath(), mount.destination(), !mount.writable(), mount.isRecursive()));
        }
        etcFiles(record).forEach((inside, file) -> {
            boolean own = record.mounts().stream().noneMatch(mount -> mount.destination().equals(inside));
            if (own && Files.exists(file)) parts.add(new MountView.Part(file, "", inside, record.host().readonlyRootfs(), false));
        });
        parts.sort(Comparator.comparingInt(part -> Path.of(part.inside()).getNameCount()));
        return parts;
    }

    /// There are none before the first start.
    private Map<String, Path> etcFiles(ContainerRecord record) {
        if (!(record.host().networkMode() instanceof NetworkMode.OfContainer other)) return etc.files(record.id());
        try {
            return etc.files(store.find(other.idOrName()).id());
        } catch (NotFound e) {
            return Map.of();
        }
    }
}
