package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/// The layers of a data root: `image/overlay2/layerdb` and `overlay2`.
///
/// Layers are counted: an image retains its top layer, a container layer its parent, a layer the one below it. What is released by its
/// last user is removed; what was brought in and not used yet stays until somebody takes or removes it. Safe for use by many threads.
public final class LayerStore implements LayerTars, AutoCloseable {
    private final StorePaths paths;
    private final IdentityMapping owners;
    private final OverlayFolders overlay;
    private final FileSystemSync fileSystem;
    private final Blocks blocks = new Blocks();
    private final LayerTable table = new LayerTable();
    private final Publication publication;
    /// Guards itself.
    private final Map<String, ContainerLayer> containers = new HashMap<>();

    private LayerStore(StorePaths paths, IdentityMapping owners) {
        this.paths = paths;
        this.owners = owners;
        overlay = new OverlayFolders(paths, owners);
        fileSystem = new FileSystemSync(paths);
        publication = new Publication(paths, overlay, fileSystem, table);
    }

    /// Opens the store, makes its folders, and removes what a crash left unfinished. What it cannot explain it moves to
    /// `quarantine`, with a warning.
    ///
    /// @param dataRoot the engine's data root, e.g. `/var/lib/balena-engine`
    public static LayerStore open(Path dataRoot) throws IOException {
        return open(dataRoot, IdentityMapping.NONE);
    }

    /// @param owners whose files those of images and containers are; a data root knows only one mapping
    /// @see #open(Path)
    static LayerStore open(Path dataRoot, IdentityMapping owners) throws IOException {
        return open(dataRoot, Optional.empty(), owners);
    }

    /// As above, with the folders that layers are mounted on in a place of their own: on a tmpfs they wear no flash.
    ///
    /// @param mountPoints a folder for them alone; made when missing
    public static LayerStore open(Path dataRoot, Path mountPoints) throws IOException {
        return open(dataRoot, mountPoints, IdentityMapping.NONE);
    }

    /// @param owners whose files those of images and containers are; a data root knows only one mapping
    /// @see #open(Path, Path)
    public static LayerStore open(Path dataRoot, Path mountPoints, IdentityMapping owners) throws IOException {
        return open(dataRoot, Optional.of(mountPoints), owners);
    }

    private static LayerStore open(Path dataRoot, Optional<Path> mountPoints, IdentityMapping owners) throws IOException {
        Files.createDirectories(dataRoot.toAbsolutePath());
        if (mountPoints.isPresent()) Files.createDirectories(mountPoints.get());
        // Paths are compared with the kernel's table of mounts, which knows no symbolic links.
        var paths = new StorePaths(dataRoot.toRealPath(), mountPoints.isPresent() ? Optional.of(mountPoints.get().toRealPath()) : mountPoints);
        makeFolders(paths, owners);
        var store = new LayerStore(paths, owners);
        var recovery = new Recovery(paths, store.overlay);
        recovery.run();
        store.load(recovery);
        return store;
    }

    private static void makeFolders(StorePaths paths, IdentityMapping owners) throws IOException {
        makeIfMissing(paths.imageFolder().getParent(), "rwx------");
        if (!Files.isDirectory(paths.overlay())) {
            OverlayFolders.makePassage(paths.overlay(), owners);
            DurableFile.syncDirectory(paths.root());
        }
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
        recovery.finished().forEach((chain, finished) -> table.addWaiting(
                new LayerTable.Stored(layer(chain, finished.content()), finished.content().cacheId(), 0, Optional.of(finished.layer())), 0));
        recovery.mounts().forEach((container, content) -> {
            content.parent().ifPresent(table::retain);
            containers.put(container, new ContainerLayer(this, paths, overlay, container, content));
        });
    }

    /// @return how many layers it consists of
    private int load(ChainId chain, Recovery recovery) {
        Optional<LayerTable.Stored> known = table.published(chain);
        if (known.isPresent()) return known.get().depth();
        LayerFiles.Content content = recovery.layers().get(chain);
        int depth = 1 + content.parent().map(parent -> load(parent, recovery)).orElse(0);
        table.addPublished(new LayerTable.Stored(layer(chain, content), content.cacheId(), depth, Optional.empty()), 0);
        return depth;
    }

    private static Layer layer(ChainId chain, LayerFiles.Content content) {
        return new Layer(chain, content.diffId(), content.parent(), content.size());
    }

    public Optional<Layer> find(ChainId chain) {
        return table.find(chain);
    }

    /// Bytes of `chain` with all layers below it.
    public long sizeOf(ChainId chain) {
        long size = 0;
        Optional<Layer> layer = find(chain);
        while (layer.isPresent()) {
            size += layer.get().size();
            layer = layer.get().parent().flatMap(this::find);
        }
        return size;
    }

    /// Begins a layer. Layers of one image may be staged side by side and in any order: only `commit` needs the parent.
    public StagedLayer stage() throws IOException {
        return new StagedLayer(this, paths, overlay);
    }

    IdentityMapping owners() {
        return owners;
    }

    Blocks blocks() {
        return blocks;
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
        return table.retain(chain);
    }

    /// As [#retain], but also of a layer that is whole while one below it is missing: [#publish] makes it usable when that has come.
    ///
    /// @return false when it has to be brought in
    public boolean reserve(ChainId chain) {
        return table.reserve(chain);
    }

    /// Makes a reserved layer usable. The reservation is a use of it from now on.
    ///
    /// @throws NoSuchLayerException when it was not reserved, or what is below it is not in the store
    public Layer publish(ChainId chain) throws IOException {
        return Uninterrupted.run(() -> publication.publish(chain));
    }

    /// Counts one more user of a layer made from `diffId`, on top of whichever layers it lies.
    ///
    /// @return that layer; empty when there is none
    public Optional<Layer> retainAny(DiffId diffId) {
        return table.retainAny(diffId);
    }

    /// Ends one use of `chain`. Layers that no one uses any more are removed, the upper one first.
    ///
    /// @return the layers removed
    public List<Layer> release(ChainId chain) throws IOException {
        return Uninterrupted.run(() -> {
            table.endUse(chain);
            return publication.removeIfUnused(chain);
        });
    }

    /// Ends one use of `chain`, which stays nevertheless, until somebody uses it again or [#removeUnused] is called.
    public void endUse(ChainId chain) {
        table.endUse(chain);
    }

    /// Removes layers that no one uses: those that were brought in, but not taken over by an image. To be called when images and
    /// containers have retained theirs.
    ///
    /// @param before only those that were finished before this moment
    /// @return the layers removed
    public List<Layer> removeUnused(Instant before) throws IOException {
        return Uninterrupted.run(() -> publication.removeUnused(before));
    }

    Publication publication() {
        return publication;
    }

    /// The tar that `chain` was made from, byte for byte (through tar-split).
    ///
    /// @throws NoSuchLayerException when there is no such layer
    public InputStream openTar(ChainId chain) throws IOException {
        return tar(table.require(chain)).open();
    }

    @Override
    public Optional<LayerTar> tar(ChainId chain) {
        return table.published(chain).map(this::tar);
    }

    private LayerTar tar(LayerTable.Stored stored) {
        return new LayerTar(new LayerFiles(paths.layer(stored.layer().chainId())).tarSplit(), paths.diff(stored.cacheId()));
    }

    /// Bytes of that tar, worked out from its record alone: no file of the layer is read.
    ///
    /// @throws NoSuchLayerException when there is no such layer
    public long tarSize(ChainId chain) throws IOException {
        if (find(chain).isEmpty()) throw new NoSuchLayerException(chain);
        return TarSplitReader.tarSize(new LayerFiles(paths.layer(chain)).tarSplit());
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
        return createContainerLayer(containerId, parent, true);
    }

    /// As [#createContainerLayer], without an `-init` layer: nothing is in it but what the image brings.
    public ContainerLayer createBareLayer(String containerId, Optional<ChainId> parent) throws IOException {
        return createContainerLayer(containerId, parent, false);
    }

    private ContainerLayer createContainerLayer(String containerId, Optional<ChainId> parent, boolean init) throws IOException {
        if (!containerId.matches("[A-Za-z0-9][A-Za-z0-9_.-]*")) throw new IllegalArgumentException("no container id: " + containerId);
        synchronized (containers) {
            if (containers.containsKey(containerId)) throw new IOException("mount already exists: " + containerId);
            containers.put(containerId, null); // taken, by us
        }
        ContainerLayer made = null;
        try {
            if (parent.isPresent() && !table.retain(parent.get())) throw new NoSuchLayerException(parent.get());
            try {
                Optional<CacheId> top = parent.isPresent() ? Optional.of(table.require(parent.get()).cacheId()) : Optional.empty();
                MountFiles.Content content = new ContainerLayerCreation(paths, overlay, fileSystem, owners).create(containerId, top, parent, init);
                made = new ContainerLayer(this, paths, overlay, containerId, content);
                return made;
            } finally {
                if (made == null && parent.isPresent()) release(parent.get());
            }
        } finally {
            synchronized (containers) {
                if (made == null) containers.remove(containerId);
                else containers.put(containerId, made);
            }
        }
    }

    public Optional<ContainerLayer> containerLayer(String containerId) {
        synchronized (containers) {
            return Optional.ofNullable(containers.get(containerId));
        }
    }

    /// To be called when all containers are known: moves the layers of others to `quarantine`, with all that was written to them.
    public void quarantineContainerLayers(Predicate<String> known) {
        // BuildKit's are among them, known to it alone.
        if (Files.exists(paths.buildkit())) return;
        List<ContainerLayer> unknown;
        synchronized (containers) {
            unknown = containers.entrySet().stream().filter(each -> !known.test(each.getKey())).map(Map.Entry::getValue).toList();
            containers.values().removeAll(unknown);
        }
        for (ContainerLayer layer : unknown) layer.quarantine();
    }

    /// Called when nothing of the container's layer is left.
    void forget(String containerId, Optional<ChainId> parent) throws IOException {
        synchronized (containers) {
            if (containers.remove(containerId) == null) return;
        }
        if (parent.isPresent()) release(parent.get());
    }

    /// `GraphDriver.Data` of an image's inspect: `UpperDir`, `WorkDir`, `MergedDir`, and `LowerDir` when it has a parent.
    public Map<String, String> driverData(ChainId chain) {
        try {
            return overlay.data(table.require(chain).cacheId());
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
