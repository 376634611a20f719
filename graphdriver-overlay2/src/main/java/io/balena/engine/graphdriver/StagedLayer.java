package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// A layer being made. Nobody sees it before `commit`; `close` without `commit` removes it.
///
/// On disk it is `layerdb/tmp/write-set-<id>` and `overlay2/<id>`. The first names the second before that exists, so that what
/// a power cut leaves behind is known for what it is.
public final class StagedLayer implements AutoCloseable {
    private final LayerStore store;
    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final CacheId id;
    private final LayerFiles files;

    private LayerExtractor.Result extracted;
    private boolean open = true;

    StagedLayer(LayerStore store, StorePaths paths, OverlayFolders overlay) throws IOException {
        this.store = store;
        this.paths = paths;
        this.overlay = overlay;
        id = CacheId.random();
        files = new LayerFiles(paths.unfinished().resolve("write-set-" + id));
        try {
            OverlayFolders.makeDirectory(files.folder(), "rwx------");
            Files.write(files.cacheId(), id.text().getBytes(US_ASCII));
            // Not synced: file systems with a journal keep the order of names, and the folder's own says all that a restart must
            // know. Where they do not, an orphan is put aside instead of removed.
            overlay.create(id);
        } catch (Throwable t) {
            discardAfter(t);
            throw t;
        }
    }

    /// Extracts an uncompressed tar, read to its end, in one pass: the files, the tar-split record and the digest.
    ///
    /// @return the digest of all that was read
    /// @throws InvalidLayerException when the tar is malformed or would touch anything outside the layer
    public DiffId extract(InputStream tar) throws IOException {
        if (extracted != null) throw new IllegalStateException("a staged layer takes one tar");
        try (var record = Files.newOutputStream(files.tarSplit())) {
            extracted = new LayerExtractor(store.blocks(), store.owners()).extract(tar, paths.diff(id), record);
        }
        return extracted.diffId();
    }

    /// What was extracted, to be read again.
    public LayerTar tar() {
        if (extracted == null) throw new IllegalStateException("nothing was extracted");
        return new LayerTar(files.tarSplit(), paths.diff(id));
    }

    /// Makes the layer durable and visible: content and metadata, `syncfs`, then its name, which a power cut may still take until
    /// [LayerStore#syncNames()]. The layer is retained once for the caller, who releases it (or hands that use to an image).
    ///
    /// When the same chain was committed meanwhile, that layer is returned and this one removed.
    ///
    /// @throws NoSuchLayerException when `parent` is not in the store
    public Layer commit(Optional<ChainId> parent) throws IOException {
        return handOver(() -> store.publication().commit(this, parent));
    }

    /// Makes the layer durable, with the one sync it needs, whether `parent` is there or not. It belongs to the store from now
    /// on, reserved once for the caller (see [LayerStore#reserve]), and outlives the process and a power cut. It is published with its
    /// parent.
    ///
    /// When the same chain was finished meanwhile, this one is removed.
    public void finish(Optional<ChainId> parent) throws IOException {
        handOver(() -> {
            store.publication().finish(this, parent);
            return null;
        });
    }

    private <T> T handOver(Uninterrupted.Action<T> action) throws IOException {
        if (extracted == null) throw new IllegalStateException("nothing was extracted");
        if (!open) throw new IllegalStateException("already committed or closed");
        T result = Uninterrupted.run(action);
        close();
        return result;
    }

    @Override
    public void close() throws IOException {
        if (!open) return;
        open = false;
        discard();
    }

    CacheId id() {
        return id;
    }

    LayerFiles files() {
        return files;
    }

    LayerExtractor.Result extracted() {
        return extracted;
    }

    /// Called when the files belong to a layer of the store.
    void handedOver() {
        open = false;
    }

    private void discard() throws IOException {
        Uninterrupted.run(() -> {
            overlay.remove(id);
            TreeRemoval.remove(files.folder());
            return null;
        });
    }

    private void discardAfter(Throwable t) {
        try {
            discard();
        } catch (IOException e) {
            t.addSuppressed(e);
        }
    }

    @Override
    public String toString() {
        Path folder = paths.folder(id);
        return "staged layer in " + folder;
    }
}
