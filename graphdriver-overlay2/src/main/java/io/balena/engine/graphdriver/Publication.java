package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Gives layers their names in `layerdb/sha256`, and takes them away again.
///
/// One after another, each with its sync: so what finishes while the layer below is being published finds it published, and what
/// finished before is published along with it, by the same sync. No layer is synced twice.
final class Publication {
    private static final System.Logger LOG = System.getLogger(Publication.class.getName());

    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final FileSystemSync fileSystem;
    private final LayerTable table;

    Publication(StorePaths paths, OverlayFolders overlay, FileSystemSync fileSystem, LayerTable table) {
        this.paths = paths;
        this.overlay = overlay;
        this.fileSystem = fileSystem;
        this.table = table;
    }

    /// The layer, retained for the caller: of `staged`, or the same that was there already.
    synchronized Layer commit(StagedLayer staged, Optional<ChainId> parent) throws IOException {
        LayerExtractor.Result extracted = staged.extracted();
        var layer = new Layer(ChainId.of(parent, extracted.diffId()), extracted.diffId(), parent, extracted.extracted().size());
        if (table.reserve(layer.chainId())) return publishOrEndUse(layer.chainId());
        int depth = table.depthBelow(parent) + 1;
        if (parent.isPresent()) overlay.stack(staged.id(), table.require(parent.get()).cacheId(), bareRoot(extracted));
        staged.files().write(layer.diffId(), layer.size(), parent);
        var stored = new LayerTable.Stored(layer, staged.id(), depth, Optional.empty());
        List<LayerTable.Stored> above = stackWaiting(stored);
        syncContent(staged);
        giveName(staged.files().folder(), stored, 1);
        staged.handedOver();
        publish(above);
        return layer;
    }

    /// Makes the layer durable and reserves it for the caller; publishes it when what is below it is there.
    synchronized void finish(StagedLayer staged, Optional<ChainId> parent) throws IOException {
        if (parent.isEmpty() || table.find(parent.get()).isPresent()) {
            commit(staged, parent);
            return;
        }
        LayerExtractor.Result extracted = staged.extracted();
        var layer = new Layer(ChainId.of(parent, extracted.diffId()), extracted.diffId(), parent, extracted.extracted().size());
        if (table.reserve(layer.chainId())) return;
        staged.files().write(layer.diffId(), layer.size(), parent);
        syncContent(staged);
        var finished = FinishedLayer.at(paths, staged.id(), bareRoot(extracted));
        Files.move(staged.files().folder(), finished.files().folder());
        staged.handedOver();
        table.addWaiting(new LayerTable.Stored(layer, staged.id(), 0, Optional.of(finished)), 1);
    }

    /// Publishes a layer that the caller has reserved. Most are by now: with the layer below.
    ///
    /// @throws NoSuchLayerException when what is below it is not there
    synchronized Layer publish(ChainId chain) throws IOException {
        Optional<Layer> done = table.find(chain);
        if (done.isPresent()) return done.get();
        LayerTable.Stored waiting = table.waiting(chain).orElseThrow(() -> new NoSuchLayerException(chain));
        Optional<ChainId> parent = waiting.layer().parent();
        LayerTable.Stored stacked = waiting.atDepth(table.depthBelow(parent) + 1);
        if (parent.isPresent()) overlay.stack(waiting.cacheId(), table.require(parent.get()).cacheId(), finished(waiting).bareRoot());
        List<LayerTable.Stored> all = new ArrayList<>(List.of(stacked));
        all.addAll(stackWaiting(stacked));
        fileSystem.sync();
        publish(all);
        return waiting.layer();
    }

    private Layer publishOrEndUse(ChainId chain) throws IOException {
        boolean published = false;
        try {
            Layer layer = publish(chain);
            published = true;
            return layer;
        } finally {
            if (!published) table.endUse(chain);
        }
    }

    private static FinishedLayer finished(LayerTable.Stored waiting) {
        return waiting.finished().orElseThrow();
    }

    private static boolean bareRoot(LayerExtractor.Result extracted) {
        return !extracted.extracted().rootSet();
    }

    private void syncContent(StagedLayer staged) throws IOException {
        fileSystem.sync();
        fileSystem.dropFromPageCache(paths.diff(staged.id()), staged.extracted().extracted().bigFiles());
    }

    /// Puts those that wait for `below` on it, and those that wait for them: what is needed before the sync that publishes all.
    ///
    /// @return what was stacked, lower ones first
    private List<LayerTable.Stored> stackWaiting(LayerTable.Stored below) {
        List<LayerTable.Stored> stacked = new ArrayList<>();
        if (below.depth() >= LayerTable.MAX_DEPTH) return stacked;
        for (LayerTable.Stored waiting : table.waitingFor(below.layer().chainId())) {
            try {
                overlay.stack(waiting.cacheId(), below.cacheId(), finished(waiting).bareRoot());
            } catch (IOException e) {
                // Whoever wants it will try again, and be told.
                LOG.log(Level.WARNING, "layer " + waiting.layer().chainId() + " waits on: " + e);
                continue;
            }
            LayerTable.Stored next = waiting.atDepth(below.depth() + 1);
            stacked.add(next);
            stacked.addAll(stackWaiting(next));
        }
        return stacked;
    }

    private void publish(List<LayerTable.Stored> stacked) {
        for (LayerTable.Stored each : stacked) {
            ChainId chain = each.layer().chainId();
            try {
                giveName(finished(table.waiting(chain).orElseThrow()).files().folder(), each, 0);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "layer " + chain + " waits on: " + e);
                return; // those on top of it wait with it
            }
        }
    }

    private void giveName(Path folder, LayerTable.Stored stored, int users) throws IOException {
        Files.move(folder, paths.layer(stored.layer().chainId()));
        table.addPublished(stored, users);
    }

    /// Removes `chain` and what is below it, as far as nobody uses it.
    ///
    /// @return what was removed, the upper ones first
    List<Layer> removeIfUnused(ChainId chain) throws IOException {
        var removed = new ArrayList<Layer>();
        for (Optional<ChainId> next = Optional.of(chain); next.isPresent(); ) {
            Optional<LayerTable.Stored> taken;
            Path removing = null;
            synchronized (this) {
                taken = table.takeUnused(next.get());
                if (taken.isPresent()) removing = takeName(taken.get());
            }
            if (taken.isEmpty()) break;
            removeContent(taken.get().cacheId(), removing);
            removed.add(taken.get().layer());
            next = taken.get().finished().isPresent() ? Optional.empty() : taken.get().layer().parent();
            next.ifPresent(table::endUse);
        }
        return removed;
    }

    /// @param before layers that were finished later stay
    List<Layer> removeUnused(Instant before) throws IOException {
        var removed = new ArrayList<Layer>();
        for (LayerTable.Stored unused : table.unused()) {
            if (finishedBefore(unused, before)) removed.addAll(removeIfUnused(unused.layer().chainId()));
        }
        return removed;
    }

    private boolean finishedBefore(LayerTable.Stored stored, Instant limit) throws IOException {
        Path folder = folder(stored);
        return Files.exists(folder) && Files.getLastModifiedTime(folder).toInstant().isBefore(limit);
    }

    private Path folder(LayerTable.Stored stored) {
        return stored.finished().map(finished -> finished.files().folder()).orElseGet(() -> paths.layer(stored.layer().chainId()));
    }

    /// After this the layer is gone for good: what is still there of it is removed at the next start.
    private Path takeName(LayerTable.Stored stored) throws IOException {
        Path name = folder(stored);
        Path removing = stored.finished().isPresent() ? paths.unfinished().resolve("removing-" + stored.cacheId())
                : name.resolveSibling(name.getFileName() + "-" + stored.cacheId() + "-removing");
        Files.move(name, removing);
        DurableFile.syncDirectory(name.getParent());
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
}
