package io.balena.engine.graphdriver;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The writable layer of one container: `layerdb/mounts/<container>` and `overlay2/<mount-id>`.
public final class ContainerLayer {
    ContainerLayer() {}

    /// Mounts the layer on the layers below it. A second call while it is mounted returns the same path.
    ///
    /// @return `overlay2/<mount-id>/merged`
    public Path mount() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Unmounts it, if mounted.
    public void unmount() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Unmounts and removes the layer with its `-init` layer, and releases the parent.
    public void remove() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Bytes in regular files written by the container (`SizeRw`).
    public long size() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// What the container changed against its image.
    public List<Change> changes() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// The changes as an uncompressed layer tar (for commit).
    public InputStream openDiff() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// `GraphDriver.Data` of the container's inspect.
    public Map<String, String> driverData() {
        throw new UnsupportedOperationException();
    }

    /// @param path absolute, as seen in the container
    public record Change(Kind kind, String path) {
        public enum Kind { MODIFIED, ADDED, DELETED }
    }
}
