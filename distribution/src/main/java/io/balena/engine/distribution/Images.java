package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The images of a data root and the names they carry: `image/overlay2/{imagedb,repositories.json}`.
///
/// Safe for use by many threads. Readers see the catalogue as the last finished change left it; changes are made one after another,
/// on disk first.
public final class Images {
    private final ImageFiles files;
    private final LayerStore layers;
    private final BlobRecords blobs;
    private final UnusedLayers unused;
    private final Object writing = new Object();
    private volatile Catalogue catalogue;

    private Images(ImageFiles files, LayerStore layers, BlobRecords blobs, Catalogue catalogue) {
        this.files = files;
        this.blobs = blobs;
        this.layers = layers;
        this.unused = new UnusedLayers(layers);
        this.catalogue = catalogue;
    }

    /// Opens the store; retains the layers of every image in `layers`.
    ///
    /// Damaged files are moved to `quarantine` with a warning; an image whose layers are missing is left out.
    public static Images open(Path dataRoot, LayerStore layers) throws IOException {
        ImageFiles files = ImageFiles.open(dataRoot);
        Catalogue catalogue = new CatalogueLoading(files, layers).load();
        files.tidyMetadata();
        return new Images(files, layers, new BlobRecords(dataRoot), catalogue);
    }

    /// Which blobs layers came from and went to. One for all who pull, push and load, as it is read, changed and written as a whole.
    BlobRecords blobs() {
        return blobs;
    }

    public List<Image> list() {
        return List.copyOf(catalogue.images().values());
    }

    /// Finds by name (`busybox`, `busybox:1`, `busybox@sha256:…`), by id, or by an unambiguous prefix of an id.
    ///
    /// @throws DistributionException.NoSuchImage `No such image: …`
    /// @throws DistributionException.InvalidRequest when it is neither a name nor an id
    public Image resolve(String nameOrId) {
        return catalogue.resolve(nameOrId);
    }

    public Optional<Image> find(ImageId id) {
        return catalogue.find(id);
    }

    /// All references that name `id`, tags and digests, sorted.
    public List<ImageReference> references(ImageId id) {
        return catalogue.references().to(id);
    }

    /// When `id` was last given a name by [#tag], in RFC 3339 (`Metadata.LastTagTime`).
    public Optional<String> lastTagged(ImageId id) throws IOException {
        return files.lastTagged(id);
    }

    /// Gives `id` the name `reference` (with its tag or digest), taking it from whichever image had it.
    public void tag(ImageId id, ImageReference reference) throws IOException {
        checkName(reference);
        changing(() -> {
            if (catalogue.find(id).isEmpty()) throw new DistributionException.NoSuchImage(id.toString());
            if (publish(catalogue.references().with(reference, id))) files.writeLastTagged(id, Instant.now());
            return null;
        });
    }

    /// Takes a name away, or removes the image, as `DELETE /images/{name}` does.
    ///
    /// @param usedBy says who uses an image, for the conflict: e.g. `container 0123456789ab`, and whether that one is running
    /// @return what happened, in order: untagged references, deleted image ids and layers
    /// @throws DistributionException.Conflict with Docker's words when containers or several repositories refer to it
    public List<Removal> remove(String nameOrId, boolean force, boolean prune, ImageUsers usedBy) throws IOException {
        RemovalPlan plan = changing(() -> {
            RemovalPlan planned = RemovalPlan.of(catalogue, nameOrId, force, prune, usedBy);
            publishRemoval(planned);
            for (RemovalPlan.Step step : planned.steps()) {
                if (!(step instanceof RemovalPlan.Step.Delete(Image image))) continue;
                files.delete(image.id());
                catalogue = catalogue.without(image.id());
            }
            return planned;
        });
        // Removing layers takes long, and whoever needs one meanwhile has retained it: no need to keep others waiting.
        return unused.after(() -> Undisturbed.run(() -> releaseLayers(plan)));
    }

    private void publishRemoval(RemovalPlan plan) throws IOException {
        List<ImageId> going = plan.steps().stream().filter(RemovalPlan.Step.Delete.class::isInstance)
                .map(step -> ((RemovalPlan.Step.Delete) step).image().id()).filter(catalogue.references()::name).toList();
        going.forEach(files::beginChange);
        try {
            publish(plan.result().references());
        } catch (IOException | RuntimeException e) {
            going.forEach(files::endChange);
            throw e;
        }
    }

    /// Removes the layers that failed pulls left for the next one.
    ///
    /// @return bytes in their files
    public long removeUnusedLayers() throws IOException {
        return unused.removeAll().stream().mapToLong(Layer::size).sum();
    }

    /// Runs what brings in layers; see [UnusedLayers].
    <T> T bringingIn(UnusedLayers.Operation<T> operation) throws IOException {
        return unused.after(operation);
    }

    private List<Removal> releaseLayers(RemovalPlan plan) throws IOException {
        List<Removal> done = new ArrayList<>();
        for (RemovalPlan.Step step : plan.steps()) {
            switch (step) {
                case RemovalPlan.Step.Untag(ImageReference reference) -> done.add(new Removal.Untagged(reference));
                case RemovalPlan.Step.Delete(Image image) -> {
                    done.add(new Removal.Deleted(image.id().digest()));
                    if (image.chain().isEmpty()) continue;
                    for (Layer layer : layers.release(image.chain().get())) done.add(new Removal.Deleted(layer.chainId().digest()));
                }
            }
        }
        return done;
    }

    /// Makes an image of one layer from a tar (plain or compressed), as `docker import` does.
    ///
    /// @param changes Dockerfile instructions to apply to its configuration, e.g. `CMD ["sh"]`
    public ImageId importTar(InputStream tar, Optional<ImageReference> name, String message, List<String> changes)
            throws IOException {
        name.ifPresent(Images::checkName);
        if (name.flatMap(ImageReference::digest).isPresent()) {
            throw new DistributionException.InvalidRequest("cannot import digest reference");
        }
        ImportedImage imported = new ImportedImage(message, changes, Instant.now());
        return bringingIn(() -> {
            Layer layer = importLayer(tar);
            ImageId id = register(imported.config(layer.diffId()), Optional.of(layer.chainId()), name.stream().toList());
            if (name.isPresent()) noteTagged(id);
            return id;
        });
    }

    /// Makes an image of a container's changes, as `docker commit` does: its parent's layers, and one more if anything has changed.
    ///
    /// @param diff the changed files as a layer tar; read to its end
    /// @throws DistributionException.NoSuchImage when the parent is no more
    public ImageId commit(Commit commit, InputStream diff) throws IOException {
        commit.name().ifPresent(Images::checkName);
        Optional<Image> parent = commit.parent()
                .map(id -> find(id).orElseThrow(() -> new DistributionException.NoSuchImage(id.toString())));
        return bringingIn(() -> {
            Optional<ChainId> below = parent.flatMap(Image::chain);
            DiffId changes;
            Optional<ChainId> top;
            try (var staged = layers.stage()) {
                changes = staged.extract(diff);
                top = CommittedImage.isEmpty(changes) ? retained(below)
                        : Optional.of(Undisturbed.run(() -> staged.commit(below)).chainId());
            }
            byte[] config = new CommittedImage(commit, parent, Instant.now()).config(changes);
            ImageId id = register(config, top, commit.name().stream().toList(), commit.parent());
            if (commit.name().isPresent()) noteTagged(id);
            return id;
        });
    }

    private Optional<ChainId> retained(Optional<ChainId> chain) throws IOException {
        if (chain.isPresent() && !layers.retain(chain.get())) throw new IOException("layer " + chain.get() + " has vanished");
        return chain;
    }

    /// Notes that `id` has just been given a name by hand.
    void noteTagged(ImageId id) throws IOException {
        changing(() -> {
            if (catalogue.find(id).isPresent()) files.writeLastTagged(id, Instant.now());
            return null;
        });
    }

    /// Adds the image of configuration `config` and gives it `names`: one step, so that nobody can remove it in between. When that
    /// fails, there is no image.
    ///
    /// @param top its topmost layer, retained by the caller, who hands that use over whatever happens
    ImageId register(byte[] config, Optional<ChainId> top, List<ImageReference> names) throws IOException {
        return register(config, top, names, Optional.empty());
    }

    /// @param parent the image it was made from, here; one that is no more is not recorded
    private ImageId register(byte[] config, Optional<ChainId> top, List<ImageReference> names, Optional<ImageId> parent)
            throws IOException {
        return changing(() -> {
            ImageId id = new ImageId(Digest.of(config));
            boolean handedOver = false;
            try {
                if (catalogue.find(id).isPresent()) nameAll(id, names);
                else {
                    add(id, config, top, names, parent.flatMap(catalogue::find).map(Image::id));
                    handedOver = true;
                }
            } finally {
                if (!handedOver && top.isPresent()) layers.endUse(top.get());
            }
            return id;
        });
    }

    private void add(ImageId id, byte[] config, Optional<ChainId> top, List<ImageReference> names, Optional<ImageId> parent)
            throws IOException {
        ImageConfig parsed = ImageConfig.parse(config);
        if (!ChainId.of(parsed.diffIds()).equals(top)) throw new IllegalArgumentException("another image's layers: " + top);
        Catalogue before = catalogue;
        layers.syncNames();
        try {
            if (!names.isEmpty()) files.beginChange(id);
            // The parent first: what has a configuration is an image, with all that belongs to it.
            if (parent.isPresent()) files.writeParent(id, parent.get());
            files.writeConfig(id, config);
            catalogue = before.with(new Image(
                    id, parsed.document(), parsed.diffIds(), parent, CatalogueLoading.sizeOf(layers, parsed.diffIds())));
            nameAll(id, names);
            if (!names.isEmpty()) files.endChange(id);
        } catch (IOException | RuntimeException e) {
            catalogue = before;
            files.delete(id);
            throw e;
        }
    }

    /// Gives an image all of `names` with one write.
    ///
    /// @return false when there is no such image any more
    boolean nameIfPresent(ImageId id, List<ImageReference> names) throws IOException {
        return changing(() -> {
            if (catalogue.find(id).isEmpty()) return false;
            nameAll(id, names);
            return true;
        });
    }

    /// All images and names as they are now.
    Catalogue catalogue() {
        return catalogue;
    }

    /// The document whose digest is `id`, byte for byte.
    ///
    /// @throws DistributionException.NoSuchImage when it is gone
    byte[] configuration(ImageId id) throws IOException {
        try {
            return files.config(id);
        } catch (NoSuchFileException e) {
            throw new DistributionException.NoSuchImage(id.toString());
        }
    }

    /// Where [#configuration] is or would be.
    Path configurationFile(ImageId id) {
        return files.configFile(id);
    }

    Optional<ImageId> named(ImageReference reference) {
        return catalogue.references().get(reference);
    }

    private <T> T changing(Undisturbed.Change<T> change) throws IOException {
        return Undisturbed.run(() -> {
            synchronized (writing) {
                return change.make();
            }
        });
    }

    private void nameAll(ImageId id, List<ImageReference> names) throws IOException {
        References changed = catalogue.references();
        for (ImageReference name : names) changed = changed.with(name, id);
        publish(changed);
    }

    /// @return whether that was a change
    private boolean publish(References changed) throws IOException {
        if (changed.equals(catalogue.references())) return false;
        files.writeReferences(changed);
        catalogue = catalogue.with(changed);
        return true;
    }

    private Layer importLayer(InputStream tar) throws IOException {
        try (var staged = layers.stage();
                var plain = Compression.decompress(tar)) {
            staged.extract(plain);
            return Undisturbed.run(() -> staged.commit(Optional.empty()));
        } catch (InvalidLayerException | CorruptStreamException e) {
            throw new DistributionException.InvalidContent(e.getMessage(), e);
        }
    }

    static void checkName(ImageReference reference) {
        if (reference.familiarName().equals("sha256")) {
            throw new DistributionException.InvalidRequest("refusing to create an ambiguous tag using digest algorithm as name");
        }
    }

    /// Who runs or keeps containers from an image.
    ///
    /// Asked by another thread, while the store is locked for writing: it must not call back into a method of [Images] that
    /// changes something.
    public interface ImageUsers {
        List<User> usersOf(ImageId id);

        record User(String containerId, boolean running) {}
    }

    public sealed interface Removal {
        record Untagged(ImageReference reference) implements Removal {}

        record Deleted(Digest imageOrLayer) implements Removal {}
    }
}
