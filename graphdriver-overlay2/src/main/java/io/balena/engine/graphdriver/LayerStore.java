package io.balena.engine.graphdriver;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The layers of a data root: `image/overlay2/layerdb` and `overlay2`.
///
/// Layers are counted: an image retains its top layer, a container layer its parent, a layer the one below it. What nobody
/// retains any more is removed. Safe for use by many threads.
public final class LayerStore implements AutoCloseable {
    /// Opens the store, makes its folders, and removes what a crash left unfinished.
    ///
    /// @param dataRoot the engine's data root, e.g. `/var/lib/balena-engine`
    public static LayerStore open(Path dataRoot) throws IOException {
        throw new UnsupportedOperationException();
    }

    public Optional<Layer> find(ChainId chain) {
        throw new UnsupportedOperationException();
    }

    /// Begins a layer. Layers of one image may be staged side by side and in any order: only `commit` needs the parent.
    public StagedLayer stage() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Counts one more user of `chain`, so that it stays.
    ///
    /// @return false when there is no such layer
    public boolean retain(ChainId chain) {
        throw new UnsupportedOperationException();
    }

    /// Ends one use of `chain`. Layers that no one uses any more are removed, the upper one first.
    ///
    /// @return the layers removed
    public List<Layer> release(ChainId chain) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// The tar that `chain` was made from, byte for byte (through tar-split).
    public InputStream openTar(ChainId chain) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Makes the writable layer of a container, with its `-init` layer, and retains `parent`.
    public ContainerLayer createContainerLayer(String containerId, Optional<ChainId> parent) throws IOException {
        throw new UnsupportedOperationException();
    }

    public Optional<ContainerLayer> containerLayer(String containerId) {
        throw new UnsupportedOperationException();
    }

    /// `GraphDriver.Data` of an image's inspect: `UpperDir`, `WorkDir`, `MergedDir`, and `LowerDir` when it has a parent.
    public Map<String, String> driverData(ChainId chain) {
        throw new UnsupportedOperationException();
    }

    /// The rows of `DriverStatus` in `/info`, in order, e.g. `Backing Filesystem` → `extfs`.
    public List<Map.Entry<String, String>> status() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() throws IOException {}
}
