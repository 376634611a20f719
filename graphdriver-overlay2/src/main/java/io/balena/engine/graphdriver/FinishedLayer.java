package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// A layer that is whole and durable, while what is below it is not there yet: `layerdb/tmp/finished-[bare-root-]<cache-id>`.
///
/// The folder was `write-set-<cache-id>` while the layer was being made, and gets this name after the sync of all it means. So the name
/// alone says that the layer is whole, and a power cut can take only the name. To Docker it is one more unfinished layer.
///
/// @param bareRoot its tar says nothing of its root, which gets the attributes of the root below
record FinishedLayer(LayerFiles files, boolean bareRoot) {
    private static final String MARK = "finished-";
    private static final String BARE_ROOT = "bare-root-";

    static FinishedLayer at(StorePaths paths, CacheId id, boolean bareRoot) {
        return new FinishedLayer(new LayerFiles(paths.unfinished().resolve(MARK + (bareRoot ? BARE_ROOT : "") + id)), bareRoot);
    }

    /// @return empty when `folder` is something else
    static Optional<FinishedLayer> in(Path folder) {
        String name = folder.getFileName().toString();
        if (!name.startsWith(MARK)) return Optional.empty();
        return Optional.of(new FinishedLayer(new LayerFiles(folder), name.startsWith(MARK + BARE_ROOT)));
    }

    /// @throws IOException when its files do not say all that must be known of it
    LayerFiles.Content read() throws IOException {
        LayerFiles.Content content = files.read();
        if (!files.folder().getFileName().toString().endsWith("-" + content.cacheId())) throw new IOException("cache-id of another layer");
        if (!Files.isRegularFile(files.tarSplit())) throw new IOException("no tar-split record");
        return content;
    }
}
