package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Makes the layer of a container: `<id>-init` on the image, unless it is to do without, `<id>` on that, then their description in `layerdb/mounts`.
///
/// The folder in `layerdb/tmp` carries the id in its name and is on the disk before what it names; it becomes the description
/// by a rename after everything else is on the disk, too.
final class ContainerLayerCreation {
    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final FileSystemSync fileSystem;
    private final IdentityMapping owners;

    ContainerLayerCreation(StorePaths paths, OverlayFolders overlay, FileSystemSync fileSystem, IdentityMapping owners) {
        this.paths = paths;
        this.overlay = overlay;
        this.fileSystem = fileSystem;
        this.owners = owners;
    }

    /// @param top the image's uppermost layer
    MountFiles.Content create(String containerId, Optional<CacheId> top, Optional<ChainId> parent, boolean init) throws IOException {
        CacheId id = CacheId.random();
        var content = new MountFiles.Content(id, init ? Optional.of(id.init()) : Optional.empty(), parent);
        var files = new MountFiles(paths.unfinished().resolve("write-set-" + id));
        try {
            // Not synced, for the reasons of StagedLayer: the order of names is kept, and the folder's own says enough.
            OverlayFolders.makeDirectory(files.folder(), "rwxr-xr-x");
            if (init) makeInit(id.init(), top);
            overlay.create(id);
            Optional<CacheId> below = init ? content.init() : top;
            if (below.isPresent()) overlay.stack(id, below.get(), true);
            files.write(content);
            fileSystem.sync();
            Files.move(files.folder(), paths.mount(containerId));
            DurableFile.syncDirectory(paths.mounts());
            return content;
        } catch (Throwable t) {
            removeAfter(t, id, files.folder(), paths.mount(containerId));
            throw t;
        }
    }

    private void makeInit(CacheId id, Optional<CacheId> top) throws IOException {
        overlay.create(id);
        if (top.isPresent()) overlay.stack(id, top.get(), true);
        InitLayer.fill(overlay.mount(id), owners);
        overlay.unmount(id);
    }

    private void removeAfter(Throwable t, CacheId id, Path... folders) {
        try {
            Uninterrupted.run(() -> {
                overlay.remove(id);
                overlay.remove(id.init());
                for (Path folder : folders) TreeRemoval.remove(folder);
                return null;
            });
        } catch (IOException e) {
            t.addSuppressed(e);
        }
    }
}
