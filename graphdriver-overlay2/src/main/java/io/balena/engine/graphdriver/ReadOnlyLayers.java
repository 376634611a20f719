package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/// The layers of another data root, which an engine may be using at this moment. Nothing in it is ever written, locked, tidied or kept from
/// being removed.
public final class ReadOnlyLayers implements LayerTars {
    private final StorePaths paths;

    /// @param dataRoot where an engine with overlay2 has its data; it need not be there yet
    public ReadOnlyLayers(Path dataRoot) {
        paths = new StorePaths(dataRoot, Optional.empty());
    }

    @Override
    public Optional<LayerTar> tar(ChainId chain) throws IOException {
        var files = new LayerFiles(paths.layer(chain));
        try {
            Path diff = paths.diff(files.read().cacheId());
            return Files.isRegularFile(files.tarSplit()) && Files.isDirectory(diff) ? Optional.of(new LayerTar(files.tarSplit(), diff)) : Optional.empty();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }
}
