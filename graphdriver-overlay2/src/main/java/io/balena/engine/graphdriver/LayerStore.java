package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The layers of a data root: `image/overlay2/layerdb` and `overlay2`.
///
/// Layers are counted: an image retains its top layer, a container layer its parent, a layer the one below it. What nobody
/// retains any more is removed. Safe for use by many threads.
public final class LayerStore implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(LayerStore.class.getName());
    /// As many as Docker allows in an image.
    private static final int MAX_DEPTH = 125;

    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final FileSystemSync fileSystem;
    /// Guards the names in `layerdb/sha256`. Held while one is given or taken away; `layers` is only locked inside, and shortly.
    private final Object publishing = new Object();
    /// Guards itself, `containers` and the counts in both.
    private final Map<ChainId, StoredLayer> layers = new HashMap<>();
    private final Map<String, ContainerLayer> containers = new HashMap<>();

    private static final class StoredLayer {
        final Layer layer;
        final CacheId cacheId;
        final int depth;
        /// Images, containers, layers on top and commits under way.
        int users;

        StoredLayer(Layer layer, CacheId cacheId, int depth) {
            this.layer = layer;
            this.cacheId = cacheId;
            this.depth = depth;
        }
    }

    private LayerStore(StorePaths paths) {
        this.paths = paths;
        overlay = new OverlayFolders(paths);
        fileSystem = new FileSystemSync(paths);
    }

    /// Opens the store, makes its folders, and removes what a crash left unfinished. What it cannot explain it moves to
    /// `quarantine`, with a warning.
    ///
    /// @param dataRoot the engine's data root, e.g. `/var/lib/balena-engine`
    public static LayerStore open(Path dataRoot) throws IOException {
        Files.createDirectories(dataRoot.toAbsolutePath());
        // Paths are compared with the kernel's table of mounts, which knows no symbolic links.
        var paths = new StorePaths(dataRoot.toRealPath());
        makeFolders(paths);
        var store = new LayerStore(paths);
        var recovery = new Recovery(paths, store.overlay);
        recovery.run();
        store.load(recovery);
        return store;
    }

    private static void makeFolders(StorePaths paths) throws IOException {
        Files.createDirectories(paths.imageFolder().getParent());
        makeIfMissing(paths.overlay(), "rwx--x---");
        makeIfMissing(paths.links(), "rwx------");
        makeIfMissing(paths.imageFolder(), "rwx------");
        makeIfMissing(paths.layerdb(), "rwx------");
        makeIfMissing(paths.layers(), "rwxr-xr-x");
        makeIfMissing(paths.mounts(), "rwxr-xr-x");
        makeIfMissing(paths.unfinished(), "rwxr-xr-x");
    }

    private static void makeIfMissing(Path folder, String permissions) throws IOException {
        if (Files.isDirectory(folder)) return;
        OverlayFolders.makeDirectory(folder, permissions);
        DurableFile.syncDirectory(folder.getParent());
    }

    private void load(Recovery recovery) {
        for (ChainId chain : recovery.layers().keySet()) load(chain, recovery);
        recovery.mounts().forEach((container, content) -> {
            content.parent().ifPresent(parent -> layers.get(parent).users++);
            containers.put(container, new ContainerLayer(this, paths, overlay, container, content));
        });
    }

    private StoredLayer load(ChainId chain, Recovery recovery) {
        StoredLayer known = layers.get(chain);
        if (known != null) return known;
        LayerFiles.Content content = recovery.layers().get(chain);
        int depth = 1;
        if (content.parent().isPresent()) {
            StoredLayer parent = load(content.parent().get(), recovery);
            parent.users++;
            depth = parent.depth + 1;
        }
        var loaded = new StoredLayer(new Layer(chain, content.diffId(), content.parent(), content.size()), content.cacheId(), depth);
        layers.put(chain, loaded);
        return loaded;
    }

    public Optional<Layer> find(ChainId chain) {
        synchronized (layers) {
            return Optional.ofNullable(layers.get(chain)).map(stored -> stored.layer);
        }
    }

    /// Begins a layer. Layers of one image may be staged side by side and in any order: only `commit` needs the parent.
    public StagedLayer stage() throws IOException {
        return new StagedLayer(this, paths, overlay);
    }

    /// Makes the names of committed layers durable: to be called before anything durable refers to them.
    ///
    /// Once for all layers of an image, because each sync writes what others being extracted have changed so far in the file
    /// system's journal, and then again when they go on.
    public void syncNames() throws IOException {
        DurableFile.syncDirectory(paths.layers());
    }

    /// Counts one more user of `chain`, so that it stays.
    ///
    /// @return false when there is no such layer
    public boolean retain(ChainId chain) {
        synchronized (layers) {
            StoredLayer stored = layers.get(chain);
            if (stored == null) return false;
            stored.users++;
            return true;
        }
    }

    /// Ends one use of `chain`. Layers that no one uses any more are removed, the upper one first.
    ///
    /// @return the layers removed
    public List<Layer> release(ChainId chain) throws IOException {
        return Uninterrupted.run(() -> removeUnused(Optional.of(chain), true));
    }

    /// Removes the layers that no one uses: those that were committed before a crash, but not taken over by an image. To be
    /// called when images and containers have retained theirs.
    ///
    /// @return the layers removed
    public List<Layer> removeUnused() throws IOException {
        List<ChainId> unused;
        synchronized (layers) {
            unused = layers.values().stream().filter(l -> l.users == 0).map(l -> l.layer.chainId()).toList();
        }
        var removed = new ArrayList<Layer>();
        for (ChainId chain : unused) removed.addAll(Uninterrupted.run(() -> removeUnused(Optional.of(chain), false)));
        return removed;
    }

    private List<Layer> removeUnused(Optional<ChainId> from, boolean endUse) throws IOException {
        var removed = new ArrayList<Layer>();
        for (Optional<ChainId> chain = from; chain.isPresent(); endUse = true) {
            StoredLayer stored;
            Path removing;
            synchronized (publishing) {
                synchronized (layers) {
                    stored = layers.get(chain.get());
                    if (stored == null) return removed;
                    if (endUse && stored.users > 0) stored.users--;
                    if (stored.users > 0) return removed;
                    layers.remove(chain.get());
                }
                removing = unpublish(chain.get(), stored.cacheId);
            }
            removed.add(stored.layer);
            removeContent(stored.cacheId, removing);
            chain = stored.layer.parent();
        }
        return removed;
    }

    /// After this the layer is gone for good: what is still there of it is removed at the next start.
    private Path unpublish(ChainId chain, CacheId id) throws IOException {
        Path name = paths.layer(chain);
        Path removing = name.resolveSibling(name.getFileName() + "-" + id + "-removing");
        Files.move(name, removing);
        DurableFile.syncDirectory(paths.layers());
        return removing;
    }

    private void removeContent(CacheId id, Path removing) {
        try {
            overlay.remove(id);
            TreeRemoval.remove(removing);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "will be removed at the next start: " + removing, e);
        }
    }

    Layer commit(StagedLayer staged, Optional<ChainId> parent) throws IOException {
        return Uninterrupted.run(() -> commitWhole(staged, parent));
    }

    private Layer commitWhole(StagedLayer staged, Optional<ChainId> parent) throws IOException {
        int depth = retainParent(parent, MAX_DEPTH - 1) + 1;
        boolean handedOver = false;
        try {
            LayerExtractor.Result extracted = staged.extracted();
            ChainId chain = ChainId.of(parent, extracted.diffId());
            Optional<Layer> existing = findAndRetain(chain);
            if (existing.isPresent()) {
                staged.close();
                return existing.get();
            }
            if (parent.isPresent()) overlay.stack(staged.id(), cacheId(parent.get()), !extracted.extracted().rootSet());
            var layer = new Layer(chain, extracted.diffId(), parent, extracted.extracted().size());
            staged.files().write(layer.diffId(), layer.size(), parent);
            fileSystem.sync();
            fileSystem.dropFromPageCache(paths.diff(staged.id()), extracted.extracted().bigFiles());
            synchronized (publishing) {
                existing = findAndRetain(chain);
                if (existing.isEmpty()) {
                    publish(staged, layer, depth);
                    handedOver = true;
                    return layer;
                }
            }
            staged.close();
            return existing.get();
        } finally {
            if (!handedOver && parent.isPresent()) release(parent.get());
        }
    }

    private void publish(StagedLayer staged, Layer layer, int depth) throws IOException {
        Files.move(staged.files().folder(), paths.layer(layer.chainId()));
        staged.published();
        var stored = new StoredLayer(layer, staged.id(), depth);
        stored.users = 1;
        synchronized (layers) {
            layers.put(layer.chainId(), stored);
        }
    }

    private Optional<Layer> findAndRetain(ChainId chain) {
        synchronized (layers) {
            StoredLayer stored = layers.get(chain);
            if (stored == null) return Optional.empty();
            stored.users++;
            return Optional.of(stored.layer);
        }
    }

    /// @return how many layers `parent` consists of
    private int retainParent(Optional<ChainId> parent, int maxDepth) throws IOException {
        if (parent.isEmpty()) return 0;
        synchronized (layers) {
            StoredLayer stored = layers.get(parent.get());
            if (stored == null) throw new NoSuchLayerException(parent.get());
            if (stored.depth > maxDepth) throw new InvalidLayerException("max depth exceeded");
            stored.users++;
            return stored.depth;
        }
    }

    private CacheId cacheId(ChainId chain) throws NoSuchLayerException {
        synchronized (layers) {
            StoredLayer stored = layers.get(chain);
            if (stored == null) throw new NoSuchLayerException(chain);
            return stored.cacheId;
        }
    }

    /// The tar that `chain` was made from, byte for byte (through tar-split).
    ///
    /// @throws NoSuchLayerException when there is no such layer
    public InputStream openTar(ChainId chain) throws IOException {
        return new TarAssembler(new LayerFiles(paths.layer(chain)).tarSplit(), paths.diff(cacheId(chain)));
    }

    /// The descriptor with which `chain` was registered, as it stands in a manifest: only layers that came with addresses of their own,
    /// because they must not be pushed, have one (`descriptor.json`).
    public Optional<byte[]> descriptor(ChainId chain) throws IOException {
        try {
            return Optional.of(Files.readAllBytes(new LayerFiles(paths.layer(chain)).descriptor()));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /// Makes the writable layer of a container, with its `-init` layer, and retains `parent`.
    ///
    /// @throws NoSuchLayerException when `parent` is not in the store
    public ContainerLayer createContainerLayer(String containerId, Optional<ChainId> parent) throws IOException {
        if (!containerId.matches("[A-Za-z0-9][A-Za-z0-9_.-]*")) throw new IllegalArgumentException("no container id: " + containerId);
        synchronized (layers) {
            if (containers.containsKey(containerId)) throw new IOException("mount already exists: " + containerId);
            containers.put(containerId, null); // taken, by us
        }
        ContainerLayer made = null;
        try {
            retainParent(parent, MAX_DEPTH);
            try {
                Optional<CacheId> top = parent.isPresent() ? Optional.of(cacheId(parent.get())) : Optional.empty();
                MountFiles.Content content = new ContainerLayerCreation(paths, overlay, fileSystem).create(containerId, top, parent);
                made = new ContainerLayer(this, paths, overlay, containerId, content);
                return made;
            } finally {
                if (made == null && parent.isPresent()) release(parent.get());
            }
        } finally {
            synchronized (layers) {
                if (made == null) containers.remove(containerId);
                else containers.put(containerId, made);
            }
        }
    }

    public Optional<ContainerLayer> containerLayer(String containerId) {
        synchronized (layers) {
            return Optional.ofNullable(containers.get(containerId));
        }
    }

    /// Called when nothing of the container's layer is left.
    void forget(String containerId, Optional<ChainId> parent) throws IOException {
        synchronized (layers) {
            if (containers.remove(containerId) == null) return;
        }
        if (parent.isPresent()) release(parent.get());
    }

    /// `GraphDriver.Data` of an image's inspect: `UpperDir`, `WorkDir`, `MergedDir`, and `LowerDir` when it has a parent.
    public Map<String, String> driverData(ChainId chain) {
        try {
            return overlay.data(cacheId(chain));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The rows of `DriverStatus` in `/info`, in order, e.g. `Backing Filesystem` → `extfs`.
    public List<Map.Entry<String, String>> status() {
        return List.of(
                Map.entry("Backing Filesystem", backingFileSystem()),
                Map.entry("Supports d_type", "true"),
                Map.entry("Native Overlay Diff", "true"),
                Map.entry("userxattr", "false"));
    }

    /// Docker's name for it.
    private String backingFileSystem() {
        try {
            String type = Files.getFileStore(paths.overlay()).type();
            return type.matches("ext[234]") ? "extfs" : type;
        } catch (IOException e) {
            return "<unknown>";
        }
    }

    @Override
    public void close() throws IOException {}
}
