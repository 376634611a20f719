package io.balena.engine.distribution;

import io.balena.engine.delta.Base;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.TarMap;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// The image that a delta starts from: the tars of its layers, one after the other, lowest first, none of which is anywhere as a whole.
///
/// Several layers of the target may be made from it at once. Where it is ours, it stays until the last user has closed it.
final class DeltaBase implements Base, AutoCloseable {
    private final ImageId id;
    private final List<ChainId> chains;
    private final List<LayerTar> tars;
    private final Runnable afterUse;
    private int users = 1;
    private Layout layout;

    /// What lies where.
    ///
    /// @param ends where each layer ends
    private record Layout(List<TarMap> maps, long[] ends) {
        long size() {
            return ends.length == 0 ? 0 : ends[ends.length - 1];
        }

        int layerAt(long position) {
            int found = Arrays.binarySearch(ends, position + 1);
            return found >= 0 ? found : -found - 1;
        }

        long startOf(int layer) {
            return layer == 0 ? 0 : ends[layer - 1];
        }
    }

    /// @param chains of its layers, lowest first
    /// @param tars of the same
    DeltaBase(ImageId id, List<ChainId> chains, List<LayerTar> tars, Runnable afterUse) {
        this.id = id;
        this.chains = chains;
        this.tars = tars;
        this.afterUse = afterUse;
    }

    ImageId id() {
        return id;
    }

    /// The tar of the layer that gives `chain`, if it is one of this image's.
    Optional<LayerTar> layer(ChainId chain) {
        int layer = chains.indexOf(chain);
        return layer < 0 ? Optional.empty() : Optional.of(tars.get(layer));
    }

    /// Counts one more user, who closes it as well.
    synchronized DeltaBase share() {
        users++;
        return this;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (--users > 0) return;
        }
        afterUse.run();
    }

    @Override
    public long size() {
        return layout().size();
    }

    /// Worked out when it is needed first: of many deltas every layer is there already.
    private synchronized Layout layout() {
        if (layout != null) return layout;
        List<TarMap> maps = new ArrayList<>();
        long[] ends = new long[tars.size()];
        long end = 0;
        for (LayerTar tar : tars) {
            TarMap map = map(tar);
            ends[maps.size()] = end += map.size();
            maps.add(map);
        }
        return layout = new Layout(maps, ends);
    }

    private TarMap map(LayerTar tar) {
        try {
            return tar.map();
        } catch (IOException e) {
            throw new DistributionException.InvalidContent(damage(e).getMessage(), e);
        }
    }

    @Override
    public Reader open() {
        return new BaseReader(layout().maps());
    }

    @Override
    public InputStream stream() throws IOException {
        return new BaseStream(tars, this::damage);
    }

    /// Reads all of it, and compares it with what was recorded when it came in.
    ///
    /// @throws IOException naming what is damaged
    void verify() throws IOException {
        try (InputStream all = stream()) {
            all.transferTo(OutputStream.nullOutputStream());
        }
    }

    private IOException damage(IOException e) {
        return new IOException("delta base image \"" + id + "\": " + e.getMessage(), e);
    }

    private final class BaseReader implements Reader {
        private final LayerReaders readers;

        BaseReader(List<TarMap> maps) {
            readers = new LayerReaders(maps);
        }

        @Override
        public void read(long position, byte[] to, int offset, int length) throws IOException {
            while (length > 0) {
                int layer = layout.layerAt(position);
                int count = (int) Math.min(length, layout.ends()[layer] - position);
                try {
                    readers.of(layer).read(position - layout.startOf(layer), to, offset, count);
                } catch (IOException e) {
                    throw damage(e);
                }
                position += count;
                offset += count;
                length -= count;
            }
        }

        @Override
        public void close() {
            readers.close();
        }
    }
}
