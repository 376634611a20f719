package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;

/// Pushes images to registries: layers side by side, each packed while it is sent, without temporary files; and none that the registry
/// has already.
public final class ImagePusher {
    private static final Logger LOG = System.getLogger(ImagePusher.class.getName());

    private final LayerStore layers;
    private final Images images;
    private volatile RegistryConfig config;
    private volatile RetryPolicy retries;
    private final LayerUploads uploads;
    private final HttpConnections connections = new HttpConnections();

    /// One per data root: pushes share uploads through it. Opens no connection and loads no HTTP client before the first push.
    public ImagePusher(LayerStore layers, Images images, RegistryConfig config) {
        this(layers, images, config, RetryPolicy.of(config.uploads().attempts()));
    }

    ImagePusher(LayerStore layers, Images images, RegistryConfig config, RetryPolicy retries) {
        this.layers = layers;
        this.images = images;
        this.config = config;
        this.retries = retries;
        this.uploads = new LayerUploads(layers, images.blobs(), retries, config.uploads().atOnce());
    }

    /// Takes up other registries and limits; what is under way goes on as it began.
    public void reconfigure(RegistryConfig next) {
        config = next;
        retries = RetryPolicy.of(next.uploads().attempts());
        uploads.reconfigure(retries, next.uploads().atOnce());
    }

    /// Pushes what `reference` names, or, when it has no tag, all tags of that repository. What was pushed can be named by its digest
    /// from then on.
    ///
    /// @throws DistributionException when there is nothing to push, or the registry or the network is at fault
    /// @throws java.io.InterruptedIOException when the calling thread was interrupted because the client has left
    public void push(ImageReference reference, Credentials credentials, Progress progress) throws IOException {
        progress.status("", "The push refers to repository [" + reference.fullName() + "]");
        List<ImageReference> tags = tags(reference);
        try (Repository repository = Repository.open(reference, Access.PUSH, credentials, config, connections)) {
            Push push = new Push(repository, credentials, progress);
            for (ImageReference tag : tags) push.run(tag);
        } catch (RegistryFailure e) {
            throw e.forPush();
        }
    }

    private List<ImageReference> tags(ImageReference reference) {
        List<ImageReference> local = images.catalogue().references().in(reference.familiarName());
        if (local.isEmpty()) throw nothing("An image does not exist locally with the tag: " + reference.familiarName());
        if (reference.digest().isPresent()) throw nothing("cannot push a digest reference");
        if (reference.tag().isPresent()) {
            if (!local.contains(reference)) throw nothing("tag does not exist: " + reference.familiar());
            return List.of(reference);
        }
        List<ImageReference> tags = local.stream().filter(name -> name.tag().isPresent()).toList();
        if (tags.isEmpty()) throw nothing("no tags to push for " + reference.familiarName());
        return tags;
    }

    private static DistributionException nothing(String why) {
        return new DistributionException.InvalidRequest(why);
    }

    /// One push, of one tag or several.
    private final class Push {
        private final Repository repository;
        private final Credentials credentials;
        private final Progress progress;
        private final Cancellation cancellation = new Cancellation();
        private final RemoteBlobs blobs;
        /// What is in the repository by now: the next tag may have the same layers.
        private final Map<DiffId, Descriptor> pushed = new HashMap<>();

        Push(Repository repository, Credentials credentials, Progress progress) {
            this.repository = repository;
            this.credentials = credentials;
            this.progress = progress;
            this.blobs = new RemoteBlobs(repository, cancellation);
        }

        void run(ImageReference name) throws IOException {
            String missing = "could not find image from tag " + name.familiar();
            Image image = images.named(name).flatMap(images::find).orElseThrow(() -> nothing(missing));
            Optional<ChainId> top = image.chain();
            if (top.isPresent() && !layers.retain(top.get())) throw nothing(missing);
            PushedManifest manifest;
            try {
                manifest = push(name, image);
            } finally {
                if (top.isPresent()) Undisturbed.run(() -> layers.release(top.get()));
            }
            String tag = name.tag().orElseThrow();
            Digest digest = manifest.digest();
            int size = manifest.content().length;
            progress.status("", tag + ": digest: " + digest + " size: " + size);
            nameByDigest(image.id(), name.withDigest(digest));
            progress.pushed(tag, digest, size);
        }

        /// The registry has it by now: a disk that is full here must not make anybody push it again.
        private void nameByDigest(ImageId id, ImageReference name) {
            try {
                images.nameIfPresent(id, List.of(name));
            } catch (IOException e) {
                LOG.log(Level.WARNING, "could not note that image " + id + " was pushed as " + name.familiar() + ": " + e);
            }
        }

        private PushedManifest push(ImageReference name, Image image) throws IOException {
            byte[] document = images.configuration(image.id());
            List<ObjectNode> listed = pushLayers(name, image);
            Descriptor config = pushConfig(image.id(), document);
            PushedManifest manifest = PushedManifest.of(config, listed);
            var request = new RegistryRequest("PUT", repository.resource("manifests/" + name.tag().orElseThrow()),
                    Map.of("Content-Type", Manifest.SCHEMA2), () -> BodyPublishers.ofByteArray(manifest.content()));
            retries.retrying(cancellation, () -> repository.ask(request, cancellation));
            return manifest;
        }

        /// @return what the manifest says of them, lowest first
        private List<ObjectNode> pushLayers(ImageReference name, Image image) throws IOException {
            Map<DiffId, ObjectNode> foreign = new HashMap<>();
            List<Layer> toPush = new ArrayList<>();
            // The topmost first, as dockerd does.
            for (Optional<ChainId> chain = image.chain(); chain.isPresent(); ) {
                Layer layer = layers.find(chain.get()).orElseThrow();
                PushProgress line = new PushProgress(progress, layer);
                line.preparing();
                Optional<JsonNode> elsewhere = foreign(layer.chainId());
                if (elsewhere.isPresent()) {
                    foreign.put(layer.diffId(), PushedManifest.foreign(elsewhere.get()));
                    line.complete("Skipped foreign layer");
                } else if (pushed.containsKey(layer.diffId())) {
                    line.complete("Layer already exists");
                } else {
                    toPush.add(layer);
                }
                chain = layer.parent();
            }
            upload(name, toPush);
            return image.diffIds().stream()
                    .map(diffId -> foreign.containsKey(diffId) ? foreign.get(diffId) : PushedManifest.layer(pushed.get(diffId)))
                    .toList();
        }

        private Optional<JsonNode> foreign(ChainId chain) throws IOException {
            Optional<byte[]> descriptor = layers.descriptor(chain);
            if (descriptor.isEmpty()) return Optional.empty();
            return Optional.of(Json.MAPPER.readTree(descriptor.get())).filter(json -> !json.path("urls").isEmpty());
        }

        private void upload(ImageReference name, List<Layer> toPush) throws IOException {
            Map<DiffId, LayerUploads.Seat> seats = new HashMap<>();
            try {
                for (Layer layer : toPush) {
                    var order = new LayerUpload.Order(repository, name, layer, credentials);
                    if (!seats.containsKey(layer.diffId())) {
                        seats.put(layer.diffId(), uploads.join(order, new PushProgress(progress, layer)));
                    }
                }
                Together.await(seats.values().stream().map(LayerUploads.Seat::uploaded).toList());
                seats.forEach((layer, seat) -> pushed.put(layer, seat.uploaded().join()));
            } finally {
                Undisturbed.run(() -> {
                    List<CompletableFuture<Void>> ends = seats.values().stream().map(LayerUploads.Seat::leave).toList();
                    ends.forEach(CompletableFuture::join);
                    return null;
                });
            }
        }

        private Descriptor pushConfig(ImageId id, byte[] document) throws IOException {
            Descriptor config = new Descriptor(Manifest.SCHEMA2_CONFIG, id.digest(), document.length);
            OptionalLong there = retries.retrying(cancellation, () -> blobs.sizeOf(config.digest()));
            if (there.isEmpty()) {
                new BlobUpload(blobs, out -> out.write(document), Optional.empty(), retries, seconds -> {}, "push-config").send();
            }
            return config;
        }
    }
}
