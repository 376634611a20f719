package io.balena.engine.daemon.container;

import static java.nio.file.attribute.PosixFilePermissions.asFileAttribute;
import static java.nio.file.attribute.PosixFilePermissions.fromString;

import io.balena.engine.daemon.container.config.IpcMode;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Mount;
import io.balena.engine.linux.Mounts;
import io.balena.engine.runtime.rootfs.MountOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// The `/dev/shm` of containers that share it: a tmpfs at `containers/<id>/mounts/shm`, where others find it, mounted while its owner
/// runs. Who has joined it keeps it for as long as he runs himself.
///
/// @param directory `containers`
record SharedMemory(Path directory, IdentityMapping owners) {
    private static final long DEFAULT_BYTES = 64 << 20;

    /// What a container has for `/dev/shm`, as others can have it, too.
    Optional<Path> of(ContainerRecord record, ContainerStore store) {
        return switch (IpcMode.parse(record.host().text("IpcMode"))) {
            case IpcMode.Private _, IpcMode.None _ -> Optional.empty();
            case IpcMode.Shareable _ -> Optional.of(folder(record.id()));
            case IpcMode.Host _ -> Optional.of(Path.of("/dev/shm"));
            case IpcMode.OfContainer other -> of(store.find(other.idOrName()).record(), store);
        };
    }

    /// Mounts what is to be shared, before its owner starts.
    ///
    /// @return whether there is something to [#remove]
    boolean provide(ContainerRecord record) throws IOException {
        if (!(IpcMode.parse(record.host().text("IpcMode")) instanceof IpcMode.Shareable)) return false;
        remove(record.id());
        Path folder = folder(record.id());
        if (!Files.isDirectory(folder.getParent())) {
            Files.createDirectory(folder.getParent(), asFileAttribute(fromString("rwx--x---")));
            owners.shareWithRoot(folder.getParent());
        }
        if (!Files.isDirectory(folder)) Files.createDirectory(folder, asFileAttribute(fromString("rwx------")));
        owners.giveToRoot(folder);
        MountOptions options = MountOptions.of(List.of("nosuid", "noexec", "nodev"));
        long bytes = record.host().positive("ShmSize").orElse(DEFAULT_BYTES);
        Mounts.mount(new Mount("shm", "tmpfs", options.flags(), "mode=1777,size=" + bytes), folder);
        owners.giveToRoot(folder);
        return true;
    }

    /// Does nothing where nothing is mounted.
    void remove(ContainerId id) throws IOException {
        Path folder = folder(id);
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) return;
        try {
            while (true) Mounts.detach(folder);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOENT) throw e;
        }
    }

    private Path folder(ContainerId id) {
        return directory.resolve(id.hex()).resolve("mounts").resolve("shm");
    }
}
