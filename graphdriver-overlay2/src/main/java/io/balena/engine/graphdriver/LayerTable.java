package io.balena.engine.graphdriver;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The layers in memory, and how many use each: images, containers, layers on top, and pulls under way. Guards itself.
///
/// A layer is *published* when it has its name in `layerdb/sha256`. It *waits* in `layerdb/tmp` when it is whole and durable, but a
/// layer below it is not there yet.
final class LayerTable {
    /// As many as Docker allows in an image.
    static final int MAX_DEPTH = 125;

    private final Map<ChainId, Entry> published = new HashMap<>();
    private final Map<ChainId, Entry> waiting = new HashMap<>();

    /// @param layer what it is
    /// @param cacheId where its files are
    /// @param depth of how many layers it consists; 0 while it waits
    /// @param finished its folder in `layerdb/tmp`, while it waits
    record Stored(Layer layer, CacheId cacheId, int depth, Optional<FinishedLayer> finished) {
        Stored atDepth(int given) {
            return new Stored(layer, cacheId, given, Optional.empty());
        }
    }

    private static final class Entry {
        final Stored stored;
        int users;

        Entry(Stored stored, int users) {
            this.stored = stored;
            this.users = users;
        }
    }

    Optional<Layer> find(ChainId chain) {
        return published(chain).map(Stored::layer);
    }

    synchronized Optional<Stored> published(ChainId chain) {
        return Optional.ofNullable(published.get(chain)).map(entry -> entry.stored);
    }

    /// @throws NoSuchLayerException when `chain` is not published
    Stored require(ChainId chain) throws NoSuchLayerException {
        return published(chain).orElseThrow(() -> new NoSuchLayerException(chain));
    }

    /// @return how many layers there are in `parent`
    /// @throws InvalidLayerException when nothing more may be put on it
    int depthBelow(Optional<ChainId> parent) throws IOException {
        if (parent.isEmpty()) return 0;
        int depth = require(parent.get()).depth();
        if (depth >= MAX_DEPTH) throw new InvalidLayerException("max depth exceeded");
        return depth;
    }

    synchronized Optional<Stored> waiting(ChainId chain) {
        return Optional.ofNullable(waiting.get(chain)).map(entry -> entry.stored);
    }

    /// Those that wait for nothing but `parent`.
    synchronized List<Stored> waitingFor(ChainId parent) {
        List<Stored> above = new ArrayList<>();
        for (Entry entry : waiting.values()) {
            if (entry.stored.layer().parent().equals(Optional.of(parent))) above.add(entry.stored);
        }
        return above;
    }

    /// Counts one more user of a published layer.
    synchronized boolean retain(ChainId chain) {
        return count(published.get(chain));
    }

    /// Counts one more user of a published layer made from `diffId`, whichever layers it lies on.
    synchronized Optional<Layer> retainAny(DiffId diffId) {
        for (Entry entry : published.values()) {
            if (!entry.stored.layer().diffId().equals(diffId)) continue;
            entry.users++;
            return Optional.of(entry.stored.layer());
        }
        return Optional.empty();
    }

    /// Counts one more user of a layer, published or waiting.
    synchronized boolean reserve(ChainId chain) {
        return count(published.get(chain)) || count(waiting.get(chain));
    }

    private static boolean count(Entry entry) {
        if (entry == null) return false;
        entry.users++;
        return true;
    }

    synchronized void endUse(ChainId chain) {
        Entry entry = published.getOrDefault(chain, waiting.get(chain));
        if (entry != null && entry.users > 0) entry.users--;
    }

    synchronized void addWaiting(Stored stored, int users) {
        waiting.put(stored.layer().chainId(), new Entry(stored, users));
    }

    /// Also counts it as a user of its parent. Who uses it already, as it waited, goes on.
    ///
    /// @param users further ones
    synchronized void addPublished(Stored stored, int users) {
        ChainId chain = stored.layer().chainId();
        Entry before = waiting.remove(chain);
        published.put(chain, new Entry(stored, users + (before == null ? 0 : before.users)));
        stored.layer().parent().ifPresent(parent -> published.get(parent).users++);
    }

    /// All that nobody uses.
    synchronized List<Stored> unused() {
        List<Stored> unused = new ArrayList<>();
        for (Map<ChainId, Entry> some : List.of(published, waiting)) {
            for (Entry entry : some.values()) if (entry.users == 0) unused.add(entry.stored);
        }
        return unused;
    }

    /// Takes a layer out, if nobody uses it.
    synchronized Optional<Stored> takeUnused(ChainId chain) {
        for (Map<ChainId, Entry> some : List.of(published, waiting)) {
            Entry entry = some.get(chain);
            if (entry == null) continue;
            if (entry.users > 0) return Optional.empty();
            some.remove(chain);
            return Optional.of(entry.stored);
        }
        return Optional.empty();
    }
}
