package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.FilterInputStream;
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
    /// The container itself wants it mounted.
    private boolean wanted;
    /// Readers of the merged tree.
    private int views;
    private volatile boolean removed;

    ContainerLayer(LayerStore store, StorePaths paths, OverlayFolders overlay, String containerId, MountFiles.Content content) {
        this.store = store;
        this.paths = paths;
        this.overlay = overlay;
        this.containerId = containerId;
        this.content = content;
    }

    /// Mounts the layer on the layers below it. A second call while it is mounted returns the same path.
    ///
    /// @return where
    public synchronized Path mount() throws IOException {
        wanted = true;
        return overlay.mount(content.mount());
    }

    /// Unmounts it, if mounted; when somebody reads the tree, at the end of that.
    public synchronized void unmount() throws IOException {
        wanted = false;
        if (views == 0) unmountNow();
    }

    private void unmountNow() throws IOException {
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
        removed = true; // before anything goes: see UntilRemoved
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

    /// Bytes of the image's layers below it.
    public long sizeBelow() {
        return content.parent().map(store::sizeOf).orElse(0L);
    }

    /// What the container changed against its image.
    public List<Change> changes() throws IOException {
        return new LayerChanges(paths.diff(content.mount()), overlay.lowerDiffs(content.mount())).list();
    }

    /// The changes as an uncompressed layer tar (for commit).
    public InputStream openDiff() throws IOException {
        return new UntilRemoved(TreeTar.ofLayer(paths.diff(content.mount()), store.owners()), () -> {});
    }

    /// All files, as the container sees them without its mounts, as an uncompressed tar (for export).
    public InputStream openTree() throws IOException {
        View view = view();
        try {
            return view.guard(TreeTar.ofLayer(view.root(), store.owners()), view::close);
        } catch (IOException | RuntimeException e) {
            view.close();
            throw e;
        }
    }

    /// The files as the container sees them without its mounts. It stays mounted until the view is closed, or the layer removed.
    public synchronized View view() throws IOException {
        // Mounted by an engine before this one, for a container that runs on.
        if (views == 0) wanted |= overlay.isMounted(content.mount());
        Path root = overlay.mount(content.mount());
        views++;
        return new View(root);
    }

    private synchronized void endView() throws IOException {
        if (--views == 0 && !wanted && !removed) unmountNow();
    }

    /// Somebody is looking at the files.
    public final class View implements AutoCloseable {
        private final Path root;
        private boolean open = true;

        private View(Path root) {
            this.root = root;
        }

        /// Where they are mounted.
        public Path root() {
            return root;
        }

        /// What reading `in` gives, as long as the layer is not being removed: then it fails, since what is read may not be all there was.
        public InputStream guard(InputStream in) {
            return guard(in, () -> {});
        }

        private InputStream guard(InputStream in, Ending ending) {
            return new UntilRemoved(in, ending);
        }

        @Override
        public void close() throws IOException {
            if (!open) return;
            open = false;
            endView();
        }
    }

    /// `GraphDriver.Data` of the container's inspect.
    public Map<String, String> driverData() {
        try {
            Map<String, String> data = overlay.data(content.mount());
            data.put("MergedDir", paths.merged(content.mount()).toString());
            return data;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Fails when the layer is being removed: what is read then may not be all there was.
    private final class UntilRemoved extends FilterInputStream {
        private final Ending ending;
        private boolean open = true;

        UntilRemoved(InputStream in, Ending ending) {
            super(in);
            this.ending = ending;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            try {
                int count = in.read(to, offset, length);
                if (!removed) return count;
            } catch (IOException e) {
                if (!removed) throw e;
            }
            throw new IOException("container " + containerId + " is being removed");
        }

        @Override
        public void close() throws IOException {
            if (!open) return;
            open = false;
            try {
                in.close();
            } finally {
                ending.run();
            }
        }
    }

    private interface Ending {
        void run() throws IOException;
    }

    /// @param path absolute, as seen in the container
    public record Change(Kind kind, String path) {
        public enum Kind { MODIFIED, ADDED, DELETED }
    }
}
