package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/// Pulls images from registries: verified, streamed, layers side by side, without temporary files.
public final class ImagePuller {
    private static final long LARGEST_CONFIG = 4 << 20;

    private final LayerStore layers;
    private final Images images;
    private final RegistryConfig config;
    private final RetryPolicy retries;
    private final LayerDownloads downloads;
    private final HttpConnections connections = new HttpConnections();

    /// One per data root: pulls share downloads through it. Opens no connection and loads no HTTP client before the first pull.
    public ImagePuller(Path dataRoot, LayerStore layers, Images images, RegistryConfig config) {
        this(dataRoot, layers, images, config, RetryPolicy.of(config.downloadAttempts()));
    }

    ImagePuller(Path dataRoot, LayerStore layers, Images images, RegistryConfig config, RetryPolicy retries) {
        this.layers = layers;
        this.images = images;
        this.config = config;
        this.retries = retries;
        this.downloads = new LayerDownloads(layers, new BlobRecords(dataRoot), retries, config.concurrentDownloads());
    }

    /// Pulls `reference` and gives the image that name.
    ///
    /// @param platform `os[/arch[/variant]]`; empty for this machine's
    /// @throws DistributionException when the registry, the network or the content is at fault
    /// @throws java.io.InterruptedIOException when the calling thread was interrupted because the client has left
    public ImageId pull(ImageReference reference, Optional<String> platform, Credentials credentials, Progress progress)
            throws IOException {
        ImageReference wanted = reference.decisive();
        Platform here = platform.map(Platform::parse).orElseGet(Platform::ofThisMachine);
        try (Repository repository = Repository.open(wanted, credentials, config, connections)) {
            return new Pull(wanted, here, repository, progress).run(platform.isPresent());
        } catch (RegistryFailure e) {
            throw e.forPullOf(wanted);
        }
    }

    /// One pull of one image.
    private final class Pull {
        private final ImageReference reference;
        private final Platform platform;
        private final Repository repository;
        private final Progress progress;
        private final Cancellation cancellation = new Cancellation();

        Pull(ImageReference reference, Platform platform, Repository repository, Progress progress) {
            this.reference = reference;
            this.platform = platform;
            this.repository = repository;
            this.progress = progress;
        }

        ImageId run(boolean platformWasAskedFor) throws IOException {
            String tagOrDigest = reference.digest().map(Digest::toString).or(reference::tag).orElseThrow();
            Repository.Fetched fetched = fetch(tagOrDigest);
            Manifest manifest = Manifest.parse(fetched.content(), fetched.mediaType());
            progress.status(tagOrDigest, "Pulling from " + reference.path());

            Manifest.OfImage image = imageFor(manifest);
            List<ImageReference> names = names(fetched.digest());
            ImageId id = new ImageId(image.config().digest());
            boolean named = images.named(reference).equals(Optional.of(id));
            boolean present = images.nameIfPresent(id, names);
            if (!present) install(image, names);

            progress.status("", "Digest: " + fetched.digest());
            progress.status("", "Status: " + (named && present ? "Image is up to date for " : "Downloaded newer image for ") + reference.familiar());
            if (platformWasAskedFor) warnOfOtherPlatform(id);
            return id;
        }

        private Repository.Fetched fetch(String tagOrDigest) throws IOException {
            return retries.retrying(cancellation, () -> repository.manifest(tagOrDigest, cancellation));
        }

        private Manifest.OfImage imageFor(Manifest manifest) throws IOException {
            return switch (manifest) {
                case Manifest.OfImage image -> image;
                case Manifest.Index index -> {
                    Repository.Fetched chosen = fetch(index.choose(platform).digest().toString());
                    if (Manifest.parse(chosen.content(), chosen.mediaType()) instanceof Manifest.OfImage image) yield image;
                    throw new DistributionException.InvalidContent("the manifest list contains another manifest list", null);
                }
            };
        }

        /// The digest is a name too: it is what `RepoDigests` shows.
        private List<ImageReference> names(Digest manifest) {
            ImageReference byDigest = reference.withDigest(manifest);
            return reference.digest().isPresent() ? List.of(byDigest) : List.of(byDigest, reference);
        }

        private void install(Manifest.OfImage image, List<ImageReference> names) throws IOException {
            byte[] document = config(image.config());
            ImageConfig config = ImageConfig.parse(document);
            String os = config.platform().os();
            if (!os.isEmpty() && !os.equals("linux")) {
                throw new DistributionException.InvalidContent("image operating system \"" + os + "\" cannot be used on this platform", null);
            }
            if (config.diffIds().size() != image.layers().size()) {
                throw new DistributionException.InvalidContent("layers from manifest don't match image configuration", null);
            }
            Optional<ChainId> top = new LayersOfPull(image.layers(), config.diffIds()).fetch();
            images.register(document, top, names);
        }

        private byte[] config(Descriptor descriptor) throws IOException {
            if (descriptor.size() > LARGEST_CONFIG) {
                throw new DistributionException.InvalidContent("image configuration " + descriptor.digest() + " is larger than " + LARGEST_CONFIG + " bytes", null);
            }
            try (var blob = new BlobStream(repository, descriptor, retries, cancellation, BlobStream.Watcher.NOBODY)) {
                byte[] document = blob.readAllBytes();
                if (!Digest.of(document).equals(descriptor.digest())) {
                    throw new DistributionException.InvalidContent("image config verification failed for digest " + descriptor.digest(), null);
                }
                return document;
            }
        }

        private void warnOfOtherPlatform(ImageId id) {
            Optional<Platform> actual = images.find(id).map(image -> Platform.of(image.config()));
            if (actual.isEmpty() || platform.runnable().contains(actual.get())) return;
            progress.status("", "WARNING: image with reference " + reference.familiar() + " was found but its platform (" + actual.get()
                    + ") does not match the specified platform (" + platform + ")");
        }

        /// The layers of this pull: what is there, and what is on its way.
        private final class LayersOfPull {
            private final List<Descriptor> blobs;
            private final List<DiffId> diffIds;
            private final List<Optional<ChainId>> chains = new ArrayList<>();
            private final List<LayerDownloads.Seat> seats = new ArrayList<>();

            /// Both lowest first, and of the same length.
            LayersOfPull(List<Descriptor> blobs, List<DiffId> diffIds) {
                this.blobs = blobs;
                this.diffIds = diffIds;
                chains.add(Optional.empty());
                for (DiffId diffId : diffIds) chains.add(Optional.of(ChainId.of(chains.getLast(), diffId)));
            }

            /// @return the topmost layer, retained for the caller
            Optional<ChainId> fetch() throws IOException {
                int present = retainPresent();
                try {
                    join(present);
                    await();
                    Optional<ChainId> top = chains.getLast();
                    if (top.isPresent() && !layers.retain(top.get())) throw new IOException("layer " + top.get() + " has vanished");
                    return top;
                } finally {
                    leave();
                    if (present > 0) layers.release(chains.get(present).orElseThrow());
                }
            }

            /// @return how many of the lowest layers are in the store; the topmost of them is retained
            private int retainPresent() {
                for (int count = diffIds.size(); count > 0; count--) {
                    if (layers.retain(chains.get(count).orElseThrow())) return count;
                }
                return 0;
            }

            private void join(int present) {
                List<Descriptor> missing = blobs.subList(present, blobs.size());
                PullProgress drawn = new PullProgress(progress, missing);
                for (Descriptor blob : blobs.subList(0, present)) progress.status(blob.digest().shortHex(), "Already exists");
                for (Descriptor blob : missing) progress.status(blob.digest().shortHex(), "Pulling fs layer");
                for (int i = present; i < blobs.size(); i++) {
                    Descriptor blob = blobs.get(i);
                    var order = new LayerDownload.Order(repository, reference.fullName(), blob, diffIds.get(i), chains.get(i));
                    Optional<LayerDownloads.Seat> below = i > present ? Optional.of(seats.getLast()) : Optional.empty();
                    seats.add(downloads.join(order, below, drawn.layer(blob)));
                }
            }

            /// Until all are there, or one has failed.
            private void await() throws IOException {
                CompletableFuture<Void> outcome = new CompletableFuture<>();
                List<CompletableFuture<?>> each = new ArrayList<>();
                for (LayerDownloads.Seat seat : seats) {
                    each.add(seat.committed().whenComplete((_, failure) -> {
                        if (failure != null) outcome.completeExceptionally(failure);
                    }));
                }
                CompletableFuture.allOf(each.toArray(CompletableFuture[]::new)).thenRun(() -> outcome.complete(null));
                try {
                    outcome.get();
                } catch (InterruptedException e) {
                    throw new InterruptedIOException("the client has left");
                } catch (ExecutionException e) {
                    throw asThrown(e.getCause());
                }
            }

            /// From the top, since each download sits on the one below.
            private void leave() {
                List<CompletableFuture<Void>> ends = seats.reversed().stream().map(LayerDownloads.Seat::leave).toList();
                ends.forEach(CompletableFuture::join);
            }
        }

        private static IOException asThrown(Throwable failure) {
            return switch (failure) {
                case RuntimeException unchecked -> throw unchecked;
                case IOException io -> io;
                case Error error -> throw error;
                default -> new IOException(failure);
            };
        }
    }
}
