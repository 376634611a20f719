package io.balena.engine.distribution;

import io.balena.engine.graphdriver.TarMap;
import io.balena.engine.graphdriver.TarReader;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Readers of the layers that were read lately: an image may have a hundred layers, and a reader holds files and buffers.
final class LayerReaders implements AutoCloseable {
    private static final int MOST = 4;

    private final List<TarMap> maps;
    private final Map<Integer, TarReader> open = new LinkedHashMap<>(MOST, 0.75f, true);

    LayerReaders(List<TarMap> maps) {
        this.maps = maps;
    }

    TarReader of(int layer) throws IOException {
        TarReader known = open.get(layer);
        if (known != null) return known;
        TarReader opened = maps.get(layer).open();
        open.put(layer, opened);
        if (open.size() > MOST) open.remove(open.keySet().iterator().next()).close();
        return opened;
    }

    @Override
    public void close() {
        open.values().forEach(TarReader::close);
        open.clear();
    }
}
