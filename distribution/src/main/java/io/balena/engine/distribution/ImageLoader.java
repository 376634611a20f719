package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Loads images from archives: those of `docker save`, old and new, and OCI layouts; in one pass, each layer written once.
///
/// Nothing is visible before the whole archive has been read and every layer compared with its configuration. What fails leaves
/// nothing.
public final class ImageLoader {
    private final LayerStore layers;
    private final Images images;
    private final DeltaBases bases;
    private final BlobRecords records;

    /// @param bases where to find what deltas start from
    public ImageLoader(LayerStore layers, Images images, DeltaBases bases) {
        this.layers = layers;
        this.images = images;
        this.bases = bases;
        this.records = images.blobs();
    }

    /// An image that was loaded.
    ///
    /// @param names those that the archive gave it
    /// @param renamed the images that had one of these names until now
    public record Loaded(ImageId id, List<ImageReference> names, Map<ImageReference, ImageId> renamed) {}

    /// Loads all images of an archive.
    ///
    /// @param archive a tar, plain or compressed; read to its end
    /// @param platform which one to take where the archive has several, `os[/arch[/variant]]` or a JSON object; empty for this machine's
    /// @return the images, in the order of the archive
    /// @throws DistributionException.InvalidContent when it is no archive of images, or its images are not what they claim to be
    public List<Loaded> load(InputStream archive, Optional<String> platform, Progress progress) throws IOException {
        Platform wanted = platform.map(Platform::requested).orElseGet(Platform::ofThisMachine);
        return images.bringingIn(() -> load(archive, wanted, progress));
    }

    private List<Loaded> load(InputStream archive, Platform wanted, Progress progress) throws IOException {
        var legacyIds = new LegacyLayerIds(images.list());
        try (var held = new HeldLayers(layers);
                var contents = new ArchiveContents(layers, records, legacyIds, held, new LoadProgress(progress))) {
            read(archive, contents);
            List<ArchivedImage> found = images(contents, wanted);
            for (ArchivedImage image : found) if (image.delta().isEmpty()) verify(image, contents);
            try (var patched = new PatchedImages(layers, images, bases, contents, held, found)) {
                for (ArchivedImage image : found) if (image.delta().isPresent()) patched.make(image, progress);
                // From here on nothing depends on the client any more.
                return Undisturbed.run(() -> install(found, contents, patched, held));
            }
        }
    }

    private static void read(InputStream archive, ArchiveContents contents) throws IOException {
        try {
            contents.read(Compression.decompress(archive));
        } catch (InvalidLayerException | CorruptStreamException e) {
            throw new DistributionException.InvalidContent("Error processing tar file: " + e.getMessage(), e);
        }
    }

    private static List<ArchivedImage> images(ArchiveContents contents, Platform platform) throws IOException {
        if (contents.has(ArchiveLayout.DOCKER_MANIFEST)) return DockerArchive.images(contents);
        if (contents.has(ArchiveLayout.OCI_INDEX)) return new OciArchive(contents, platform).images();
        throw new DistributionException.InvalidContent(contents.has(ArchiveLayout.REPOSITORIES)
                ? "invalid archive: it was made by a Docker older than 1.10, and has no " + ArchiveLayout.DOCKER_MANIFEST
                : "invalid archive: does not contain a " + ArchiveLayout.DOCKER_MANIFEST + " or " + ArchiveLayout.OCI_INDEX, null);
    }

    private static void verify(ArchivedImage image, ArchiveContents contents) throws IOException {
        for (int i = 0; i < image.layers().size(); i++) {
            DiffId expected = image.config().diffIds().get(i);
            DiffId actual = diffId(contents.layer(image.layers().get(i)));
            if (!actual.equals(expected)) {
                throw new DistributionException.InvalidContent(
                        "invalid diffID for layer " + i + ": expected \"" + expected + "\", got \"" + actual + "\"", null);
            }
        }
    }

    private static DiffId diffId(ArchiveContents.Content layer) {
        return switch (layer) {
            case ArchiveContents.Content.Extracted(_, DiffId diffId) -> diffId;
            case ArchiveContents.Content.Stored(Layer stored) -> stored.diffId();
            default -> throw new IllegalArgumentException("no layer: " + layer);
        };
    }

    /// All layers first: should there be no room for them, no image has appeared yet.
    private List<Loaded> install(List<ArchivedImage> found, ArchiveContents contents, PatchedImages patched, HeldLayers held)
            throws IOException {
        for (ArchivedImage image : found) if (image.delta().isEmpty()) commitLayers(image, contents, held);
        patched.commit();
        List<Loaded> loaded = new ArrayList<>();
        for (ArchivedImage image : found) loaded.add(register(image));
        return loaded;
    }

    private void commitLayers(ArchivedImage image, ArchiveContents contents, HeldLayers held) throws IOException {
        Optional<ChainId> below = Optional.empty();
        for (int i = 0; i < image.layers().size(); i++) {
            ChainId chain = ChainId.of(below, image.config().diffIds().get(i));
            if (!held.hold(chain)) {
                Layer layer = commit(image.layers().get(i), contents, below);
                held.takeOver(layer.chainId());
            }
            below = Optional.of(chain);
        }
    }

    private Layer commit(String path, ArchiveContents contents, Optional<ChainId> below) throws IOException {
        return switch (contents.layer(path)) {
            case ArchiveContents.Content.Extracted(StagedLayer staged, _) -> {
                Layer layer = staged.commit(below);
                contents.committed(path, layer);
                yield layer;
            }
            case ArchiveContents.Content.Stored(Layer stored) -> copy(stored, below);
            case ArchiveContents.Content other -> throw new IllegalArgumentException("no layer: " + other);
        };
    }

    /// The same layer upon others: Docker keeps it once for each.
    private Layer copy(Layer stored, Optional<ChainId> below) throws IOException {
        try (StagedLayer staged = layers.stage();
                InputStream tar = layers.openTar(stored.chainId())) {
            DiffId copied = staged.extract(tar);
            if (!copied.equals(stored.diffId())) throw new IOException("layer is damaged: " + stored.chainId() + " gives " + copied);
            return staged.commit(below);
        }
    }

    private Loaded register(ArchivedImage image) throws IOException {
        ImageId id = image.id();
        Map<ImageReference, ImageId> renamed = new LinkedHashMap<>();
        for (ImageReference name : image.names()) {
            images.named(name).filter(old -> !old.equals(id)).ifPresent(old -> renamed.put(name, old));
        }
        Optional<ChainId> top = ChainId.of(image.config().diffIds());
        // Held all along; this one is the image's.
        top.ifPresent(layers::retain);
        images.register(image.document(), top, image.names());
        return new Loaded(id, image.names(), renamed);
    }
}
