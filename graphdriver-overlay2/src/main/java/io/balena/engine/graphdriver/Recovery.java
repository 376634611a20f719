package io.balena.engine.graphdriver;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What happens once, when a store is opened: it finds what is whole, removes what was left unfinished, and puts into
/// quarantine what it cannot explain.
final class Recovery {
    private static final System.Logger LOG = System.getLogger(Recovery.class.getName());

    private final StorePaths paths;
    private final OverlayFolders overlay;
    private final Quarantine quarantine;
    private final Map<ChainId, LayerFiles.Content> layers = new HashMap<>();
    private final Map<String, MountFiles.Content> mounts = new HashMap<>();
    private final Map<ChainId, Finished> finished = new HashMap<>();
    private final Set<CacheId> used = new HashSet<>();

    record Finished(FinishedLayer layer, LayerFiles.Content content) {}

    Recovery(StorePaths paths, OverlayFolders overlay) {
        this.paths = paths;
        this.overlay = overlay;
        this.quarantine = new Quarantine(paths.root());
    }

    /// Layers that are whole, with all layers below them.
    Map<ChainId, LayerFiles.Content> layers() {
        return layers;
    }

    /// Layers that are whole, while one below them is missing: the next pull takes them up.
    Map<ChainId, Finished> finished() {
        return finished;
    }

    /// Containers' layers that are whole, by container.
    Map<String, MountFiles.Content> mounts() {
        return mounts;
    }

    void run() throws IOException {
        var candidates = new HashMap<ChainId, LayerFiles.Content>();
        var removing = new ArrayList<Path>();
        for (Path folder : list(paths.layers())) {
            String name = folder.getFileName().toString();
            if (name.endsWith("-removing")) removing.add(folder);
            else if (name.matches("[a-f0-9]{64}")) readLayer(folder, candidates);
            else LOG.log(Level.WARNING, "left alone, as it is no layer: " + folder);
        }
        for (ChainId chain : List.copyOf(candidates.keySet())) keepIfWhole(chain, candidates);
        for (Path folder : list(paths.mounts())) readMount(folder);
        for (Path folder : removing) removeUnfinished(folder);
        for (Path folder : list(paths.unfinished())) {
            if (!isFinished(folder)) removeUnfinished(folder);
        }
        quarantineUnexplained();
        overlay.sweepLinks();
    }

    private void readLayer(Path folder, Map<ChainId, LayerFiles.Content> candidates) {
        try {
            ChainId chain = new ChainId(new Digest(folder.getFileName().toString()));
            LayerFiles.Content content = new LayerFiles(folder).read();
            if (!ChainId.of(content.parent(), content.diffId()).equals(chain)) {
                throw new IOException("diff and parent do not make this chain");
            }
            if (!overlay.exists(content.cacheId())) throw new IOException("no content in overlay2/" + content.cacheId());
            overlay.repairLink(content.cacheId());
            candidates.put(chain, content);
        } catch (IOException | RuntimeException e) {
            quarantine.take(folder, e);
        }
    }

    /// A chain's digest covers those below it, so there are no circles.
    private boolean keepIfWhole(ChainId chain, Map<ChainId, LayerFiles.Content> candidates) {
        if (layers.containsKey(chain)) return true;
        LayerFiles.Content content = candidates.remove(chain);
        if (content == null) return false;
        if (content.parent().isPresent() && !keepIfWhole(content.parent().get(), candidates)) {
            quarantine.take(paths.layer(chain), "the layer below it is missing: " + content.parent().get());
            return false;
        }
        try {
            if (content.parent().isPresent()) overlay.repairLower(content.cacheId(), layers.get(content.parent().get()).cacheId());
        } catch (IOException | RuntimeException e) {
            quarantine.take(paths.layer(chain), e);
            return false;
        }
        layers.put(chain, content);
        used.add(content.cacheId());
        return true;
    }

    private void readMount(Path folder) {
        try {
            MountFiles.Content content = new MountFiles(folder).read();
            if (content.parent().isPresent() && !layers.containsKey(content.parent().get())) {
                throw new IOException("its image's layer is missing: " + content.parent().get());
            }
            if (!overlay.exists(content.mount())) throw new IOException("no content in overlay2/" + content.mount());
            if (content.init().isPresent() && !overlay.exists(content.init().get())) {
                throw new IOException("no content in overlay2/" + content.init().get());
            }
            repair(content);
            mounts.put(folder.getFileName().toString(), content);
            used.add(content.mount());
            content.init().ifPresent(used::add);
        } catch (IOException | RuntimeException e) {
            quarantine.take(folder, e);
        }
    }

    private void repair(MountFiles.Content content) throws IOException {
        Optional<CacheId> below = content.parent().map(parent -> layers.get(parent).cacheId());
        if (content.init().isPresent()) {
            overlay.repairLink(content.init().get());
            if (below.isPresent()) overlay.repairLower(content.init().get(), below.get());
            below = content.init();
        }
        overlay.repairLink(content.mount());
        if (below.isPresent()) overlay.repairLower(content.mount(), below.get());
    }

    private boolean isFinished(Path folder) {
        Optional<FinishedLayer> found = FinishedLayer.in(folder);
        if (found.isEmpty()) return false;
        try {
            LayerFiles.Content content = found.get().read();
            ChainId chain = ChainId.of(content.parent(), content.diffId());
            if (!overlay.exists(content.cacheId()) || layers.containsKey(chain)) return false;
            overlay.repairLink(content.cacheId());
            if (finished.putIfAbsent(chain, new Finished(found.get(), content)) != null) return false;
            return used.add(content.cacheId());
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "a finished layer cannot be taken up, and is removed: " + folder + ": " + e);
            return false;
        }
    }

    /// A folder that names what it was about to become, or what it was: nobody was told that it is there. When it does not go now, it
    /// may at the next start.
    private void removeUnfinished(Path folder) {
        try {
            removeWhole(folder);
            LOG.log(Level.INFO, "removed what was left unfinished: " + folder);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "cannot remove what was left unfinished: " + folder + ": " + e);
        }
    }

    private void removeWhole(Path folder) throws IOException {
        for (String file : List.of("cache-id", "mount-id", "init-id")) {
            Optional<CacheId> id = overlay.idIn(folder.resolve(file));
            if (id.isPresent()) removeUnlessUsed(id.get());
        }
        // The files may have no content yet; the folder's name was given before anything it names was made.
        String name = folder.getFileName().toString();
        String id = name.substring(name.lastIndexOf('-') + 1);
        if (CacheId.isValid(id)) {
            removeUnlessUsed(new CacheId(id));
            removeUnlessUsed(new CacheId(id).init());
        }
        TreeRemoval.remove(folder);
    }

    private void removeUnlessUsed(CacheId id) throws IOException {
        if (!used.contains(id)) overlay.remove(id);
    }

    private void quarantineUnexplained() throws IOException {
        boolean buildkit = Files.exists(paths.buildkit());
        for (Path folder : list(paths.overlay())) {
            String name = folder.getFileName().toString();
            if (!CacheId.isValid(name) || used.contains(new CacheId(name))) continue;
            if (buildkit) {
                LOG.log(Level.DEBUG, "left alone, as it may be BuildKit's: " + folder);
                continue;
            }
            overlay.unmount(new CacheId(name));
            quarantine.take(folder, "no layer and no container refers to it");
        }
    }

    private static List<Path> list(Path folder) throws IOException {
        try (var entries = Files.list(folder)) {
            return entries.sorted().toList();
        }
    }
}
