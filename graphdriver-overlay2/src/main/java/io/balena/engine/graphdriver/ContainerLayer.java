package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The writable layer of one container: `layerdb/mounts/<container>` and `overlay2/<mount-id>`.
public final class ContainerLayer {
    private final LayerStore store;
    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final String containerId;
    private final MountFiles.Content content;

    ContainerLayer(LayerStore store, StorePaths paths, OverlayFolders overlay, String containerId, MountFiles.Content content) {
        this.store = store;
        this.paths = paths;
        this.overlay = overlay;
        this.containerId = containerId;
        this.content = content;
    }

    /// Mounts the layer on the layers below it. A second call while it is mounted returns the same path.
    ///
    /// @return `overlay2/<mount-id>/merged`
    public synchronized Path mount() throws IOException {
        return overlay.mount(content.mount());
    }

    /// Unmounts it, if mounted.
    public synchronized void unmount() throws IOException {
        Uninterrupted.run(() -> {
            overlay.unmount(content.mount());
            return null;
        });
    }

    /// Unmounts and removes the layer with its `-init` layer, and releases the parent. What a crash leaves of it is removed at
    /// the next start.
    public synchronized void remove() throws IOException {
        Uninterrupted.run(() -> {
            removeWhole();
            return null;
        });
    }

    private void removeWhole() throws IOException {
        overlay.unmount(content.mount());
        Path name = paths.mount(containerId);
        Path removing = paths.unfinished().resolve("removing-" + content.mount());
        if (Files.exists(name)) {
            Files.move(name, removing);
            DurableFile.syncDirectory(paths.unfinished());
            DurableFile.syncDirectory(paths.mounts());
        }
        overlay.remove(content.mount());
        if (content.init().isPresent()) overlay.remove(content.init().get());
        TreeRemoval.remove(removing);
        store.forget(containerId, content.parent());
    }

    /// What it lies on stays retained: who looks at it may need that.
    void quarantine() {
        var quarantine = new Quarantine(paths.root());
        try {
            overlay.unmount(content.mount());
        } catch (IOException e) {
            System.getLogger(ContainerLayer.class.getName()).log(System.Logger.Level.WARNING, "cannot unmount " + paths.merged(content.mount()), e);
        }
        quarantine.take(paths.mount(containerId), "there is no container of this name");
        quarantine.take(paths.folder(content.mount()), "the layer of container " + containerId + ", which there is not");
        content.init().ifPresent(init -> quarantine.take(paths.folder(init), "the layer of container " + containerId + ", which there is not"));
    }

    /// Bytes in regular files written by the container (`SizeRw`).
    public long size() throws IOException {
        var calls = new FileCalls();
        int diff = calls.open(paths.diff(content.mount()), OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            return new TreeSize(calls).of(diff);
        } finally {
            calls.close(diff);
        }
    }

    /// What the container changed against its image.
    public List<Change> changes() throws IOException {
        return new LayerChanges(paths.diff(content.mount()), overlay.lowerDiffs(content.mount())).list();
    }

    /// The changes as an uncompressed layer tar (for commit).
    public InputStream openDiff() throws IOException {
        return LayerDiff.open(paths.diff(content.mount()));
    }

    /// `GraphDriver.Data` of the container's inspect.
    public Map<String, String> driverData() {
        try {
            return overlay.data(content.mount());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// @param path absolute, as seen in the container
    public record Change(Kind kind, String path) {
        public enum Kind { MODIFIED, ADDED, DELETED }
    }
}
