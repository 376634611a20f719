package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.container.spec.ContainerRoot;
import io.balena.engine.daemon.volume.Volume;
import io.balena.engine.daemon.volume.Volumes;
import io.balena.engine.graphdriver.ContainerLayer;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The volumes of containers, and the images they have mounted: given when one is created, mounted while it runs, given back when it is
/// removed.
final class ContainerVolumes {
    private static final Logger LOG = System.getLogger(ContainerVolumes.class.getName());

    private final Volumes volumes;
    private final ImageMounts images;

    ContainerVolumes(Volumes volumes, ImageMounts images) {
        this.volumes = volumes;
        this.images = images;
    }

    /// Notes what stored containers refer to. Before any of them is started or torn down, so that none takes another's mount away.
    void adopt(ContainerStore store) {
        for (Container container : store.all()) {
            ContainerRecord record = container.record();
            for (MountPoint mount : record.mounts()) {
                if (mount.isVolume()) volumes.adopt(mount.name(), record.id().hex(), record.state().isAlive());
            }
        }
    }

    /// Gives a new container its volumes, made where there are none of those names.
    ///
    /// @param store has the folder of the container, which is told of volumes without a name before they are made
    List<MountPoint> provide(ContainerId id, List<MountPoint> wanted, ContainerLayer layer, ContainerStore store) throws IOException {
        List<MountPoint> mounts = images.provide(id, wanted);
        if (mounts.stream().noneMatch(MountPoint::isVolume)) return mounts;
        var root = new ContainerRoot(layer.mount());
        List<MountPoint> provided = new ArrayList<>();
        try {
            for (MountPoint mount : mounts) provided.add(mount.isVolume() ? mount.in(volume(id, mount, root, store)) : mount);
            return List.copyOf(provided);
        } catch (IOException | RuntimeException e) {
            giveBack(id, provided, true);
            throw e;
        } finally {
            layer.unmount();
        }
    }

    private Volume volume(ContainerId id, MountPoint mount, ContainerRoot root, ContainerStore store) throws IOException {
        String name = mount.name();
        if (name.isEmpty()) {
            name = Volumes.randomName();
            store.claim(id, name);
        }
        Path content = root.resolve(mount.destination());
        boolean copied = mount.copyUp() && Files.exists(content, LinkOption.NOFOLLOW_LINKS);
        if (copied && !Files.isDirectory(content, LinkOption.NOFOLLOW_LINKS)) throw new SystemFailure("source " + content + " is not directory", null);
        return volumes.provide(name, mount.driver(), mount.description(), id.hex(), copied ? Optional.of(content) : Optional.empty());
    }

    /// Before a container is removed with those of its volumes that nobody named.
    void claim(ContainerRecord record, ContainerStore store) {
        for (MountPoint mount : record.mounts()) {
            if (!mount.isAnonymous()) continue;
            try {
                store.claim(record.id(), mount.name());
            } catch (IOException e) {
                LOG.log(Level.DEBUG, "if the power went now, volume {0} would stay: {1}", mount.name(), e.getMessage());
            }
        }
    }

    /// Removes what a creation or removal that was cut short had claimed.
    void removeClaimed(List<String> names) {
        for (String name : names) remove(name);
    }

    /// Ends a container's views of images.
    void dropImages(ContainerId id) throws IOException {
        images.remove(id);
    }

    /// @param remove also the volumes that nobody named and no other container refers to
    void giveBack(ContainerId id, List<MountPoint> mounts, boolean remove) {
        for (MountPoint mount : mounts) if (mount.isVolume()) volumes.release(mount.name(), id.hex());
        if (!remove) return;
        for (MountPoint mount : mounts) if (mount.isAnonymous()) remove(mount.name());
    }

    private void remove(String name) {
        try {
            volumes.remove(name);
        } catch (Conflict | NotFound e) {
            // Another container has it, or somebody removed it before.
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Removing the volume {0}: {1}", name, e.getMessage());
        }
    }

    /// Makes the files of all its volumes and images be there for the container. What was mounted when this fails, [#unmount] unmounts.
    ///
    /// @return its mounts, from where they are now
    List<MountPoint> mount(ContainerRecord record) throws IOException {
        mount(record, record.id().hex());
        return images.mount(record.mounts());
    }

    /// Makes the files of all its volumes be there for somebody else, who looks at them.
    void mount(ContainerRecord record, String user) throws IOException {
        for (MountPoint mount : record.mounts()) {
            if (!mount.isVolume()) continue;
            volumes.mount(mount.name(), user);
            volumes.announce("mount", mount.name(), Map.of("container", record.id().hex(), "destination", mount.destination(),
                    "read/write", Boolean.toString(mount.writable()), "propagation", mount.propagation()));
        }
    }

    void unmount(ContainerRecord record) {
        for (MountPoint mount : record.mounts()) {
            if (mount.isImage()) unmount(mount, record, () -> images.unmount(mount));
        }
        unmount(record, record.id().hex());
    }

    /// Goes on when one cannot be unmounted.
    ///
    /// @param user as for [#mount(ContainerRecord, String)]
    void unmount(ContainerRecord record, String user) {
        for (MountPoint mount : record.mounts()) {
            if (mount.isVolume()) unmount(mount, record, () -> unmountVolume(mount, record, user));
        }
    }

    private void unmountVolume(MountPoint mount, ContainerRecord record, String user) throws IOException {
        boolean used = volumes.unmount(mount.name(), user);
        if (used) volumes.announce("unmount", mount.name(), Map.of("container", record.id().hex()));
    }

    private interface Unmounting {
        void run() throws IOException;
    }

    private static void unmount(MountPoint mount, ContainerRecord record, Unmounting unmounting) {
        try {
            unmounting.run();
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Unmounting the {0} {1} of container {2}: {3}", mount.type(), mount.name(), record.id(), e.getMessage());
        }
    }
}
