package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// Pulls images from registries: verified, streamed, layers side by side, without temporary files.
public final class ImagePuller {
    private static final long LARGEST_CONFIG = 4 << 20;

    private final LayerStore layers;
    private final Images images;
    private final DeltaBases bases;
    private volatile Sources sources;
    private volatile RetryPolicy retries;
    private final LayerDownloads downloads;

    /// One per data root: pulls share downloads through it. Opens no connection and loads no HTTP client before the first pull.
    ///
    /// @param bases where to find what deltas start from
    public ImagePuller(LayerStore layers, Images images, DeltaBases bases, RegistryConfig config) {
        this(layers, images, bases, config, RetryPolicy.of(config.downloads().attempts()));
    }

    ImagePuller(LayerStore layers, Images images, DeltaBases bases, RegistryConfig config, RetryPolicy retries) {
        this.layers = layers;
        this.images = images;
        this.bases = bases;
        this.sources = new Sources(config, new HttpConnections());
        this.retries = retries;
        this.downloads = new LayerDownloads(layers, images.blobs(), retries, config.downloads().atOnce());
    }

    /// Takes up other registries, mirrors and limits; what is under way goes on as it began.
    public void reconfigure(RegistryConfig config) {
        sources = new Sources(config, sources.connections());
        retries = RetryPolicy.of(config.downloads().attempts());
        downloads.reconfigure(retries, config.downloads().atOnce());
    }

    /// Pulls `reference` and gives the image that name.
    ///
    /// @param platform `os[/arch[/variant]]`; empty for this machine's
    /// @throws DistributionException when the registry, the network or the content is at fault
    /// @throws java.io.InterruptedIOException when the calling thread was interrupted because the client has left
    public ImageId pull(ImageReference reference, Optional<String> platform, Credentials credentials, Progress progress)
            throws IOException {
        ImageReference wanted = reference.decisive();
        return fromOneThatHasIt(wanted, credentials, (repository, last) -> {
            Pull.Outcome outcome = new Pull(wanted, platform, repository, patience(last), progress).run();
            sayOutcome(wanted, outcome.news(), progress);
            outcome.warning().ifPresent(warning -> progress.status("", warning));
            return outcome.image();
        });
    }

    /// Pulls everything that has a tag in the repository of `reference`.
    ///
    /// @throws DistributionException at the first that fails; those before it stay
    public void pullAllTags(ImageReference reference, Optional<String> platform, Credentials credentials, Progress progress)
            throws IOException {
        fromOneThatHasIt(reference, credentials, (repository, last) -> {
            boolean news = false;
            Cancellation cancellation = new Cancellation();
            for (String tag : patience(last).retrying(cancellation, () -> repository.tags(cancellation))) {
                if (!ImageReference.isTag(tag)) throw new DistributionException.InvalidContent("invalid tag format", null);
                news |= new Pull(reference.withTag(tag), platform, repository, patience(last), progress).run().news();
            }
            sayOutcome(reference, news, progress);
            return null;
        });
    }

    private static void sayOutcome(ImageReference wanted, boolean news, Progress progress) {
        progress.status("", "Status: " + (news ? "Downloaded newer image for " : "Image is up to date for ") + wanted.familiar());
    }

    private <T> T fromOneThatHasIt(ImageReference wanted, Credentials credentials, Sources.Question<T> pull) throws IOException {
        try {
            return images.bringingIn(() -> sources.firstAnswer(wanted, credentials, pull));
        } catch (RegistryFailure e) {
            throw e.forPullOf(wanted);
        }
    }

    /// Where there is somebody else to ask for a manifest, one failure is enough.
    private RetryPolicy patience(boolean last) {
        return last ? retries : retries.once();
    }

    /// One pull of one image.
    private final class Pull {
        /// @param news whether the name meant something else, or nothing, before
        record Outcome(ImageId image, boolean news, Optional<String> warning) {}

        private final ImageReference reference;
        private final boolean platformWasAskedFor;
        private final Platform platform;
        private final Repository repository;
        private final RetryPolicy patience;
        private final Progress progress;
        private final Cancellation cancellation = new Cancellation();

        Pull(ImageReference reference, Optional<String> platform, Repository repository, RetryPolicy patience, Progress progress) {
            this.reference = reference;
            this.platformWasAskedFor = platform.isPresent();
            this.platform = platform.map(Platform::parse).orElseGet(Platform::ofThisMachine);
            this.repository = repository;
            this.patience = patience;
            this.progress = progress;
        }

        Outcome run() throws IOException {
            Repository.Fetched fetched = fetch(tagOrDigest());
            Manifest manifest = Manifest.parse(fetched.content(), fetched.mediaType());
            Optional<ImageId> before = images.named(reference);
            try (WantedImage wanted = wanted(manifest, fetched.digest())) {
                if (wanted instanceof WantedImage.Missing missing) install(missing.checked(), names(fetched.digest()));
                progress.status("", "Digest: " + fetched.digest());
                boolean news = wanted instanceof WantedImage.Missing || !before.equals(Optional.of(wanted.id()));
                return new Outcome(wanted.id(), news, platformWasAskedFor ? otherPlatform(wanted.id()) : Optional.empty());
            }
        }

        /// Finds out what to pull, and says so before anything else; only that a delta has no base here is an answer of its own.
        private WantedImage wanted(Manifest manifest, Digest digest) throws IOException {
            boolean said = true;
            try {
                return wanted(imageFor(manifest), names(digest));
            } catch (DistributionException.NoDeltaBase e) {
                said = false;
                throw e;
            } finally {
                if (said) progress.status(tagOrDigest(), "Pulling from " + reference.path());
            }
        }

        private WantedImage wanted(Manifest.OfImage image, List<ImageReference> names) throws IOException {
            ImageId id = new ImageId(image.config().digest());
            if (images.nameIfPresent(id, names)) return new WantedImage.Here(id);
            byte[] document = config(image.config());
            ImageConfig config = ImageConfig.parse(document);
            Optional<DeltaImage> delta = DeltaImage.in(config);
            if (delta.isEmpty()) return new WantedImage.Missing(id, document, config, image.layers(), Optional.empty());
            ImageId target = delta.get().target();
            if (images.nameIfPresent(target, names)) return new WantedImage.Here(target);
            DeltaBase base = bases.open(delta.get());
            return new WantedImage.Missing(target, delta.get().document(), delta.get().config(), image.layers(), Optional.of(base));
        }

        private String tagOrDigest() {
            return reference.digest().map(Digest::toString).or(reference::tag).orElseThrow();
        }

        private Repository.Fetched fetch(String tagOrDigest) throws IOException {
            return patience.retrying(cancellation, () -> repository.manifest(tagOrDigest, cancellation));
        }

        private Manifest.OfImage imageFor(Manifest manifest) throws IOException {
            return switch (manifest) {
                case Manifest.OfImage image -> image.checked();
                case Manifest.Index index -> {
                    Repository.Fetched chosen = fetch(index.choose(platform).digest().toString());
                    if (Manifest.parse(chosen.content(), chosen.mediaType()) instanceof Manifest.OfImage image) yield image.checked();
                    throw new DistributionException.InvalidContent("unsupported manifest format", null);
                }
            };
        }

        /// The digest is a name too: it is what `RepoDigests` shows.
        private List<ImageReference> names(Digest manifest) {
            ImageReference byDigest = reference.withDigest(manifest);
            return reference.digest().isPresent() ? List.of(byDigest) : List.of(byDigest, reference);
        }

        private void install(WantedImage.Missing image, List<ImageReference> names) throws IOException {
            PulledLayers pulled = new PulledLayers(layers, downloads, image.blobs(), image.config().diffIds(), image.base());
            images.register(image.document(), pulled.fetch(repository, reference.fullName(), progress), names);
        }

        private byte[] config(Descriptor descriptor) throws IOException {
            if (descriptor.size() > LARGEST_CONFIG) {
                throw new DistributionException.InvalidContent(
                        "image configuration " + descriptor.digest() + " is larger than " + LARGEST_CONFIG + " bytes", null);
            }
            try (var blob = new BlobStream(repository, descriptor, retries, cancellation, BlobStream.Watcher.NOBODY)) {
                byte[] document = blob.readAllBytes();
                if (!Digest.of(document).equals(descriptor.digest())) {
                    throw new DistributionException.InvalidContent(
                            "image config verification failed for digest " + descriptor.digest(), null);
                }
                return document;
            }
        }

        private Optional<String> otherPlatform(ImageId id) {
            Optional<Platform> actual = images.find(id).map(image -> Platform.of(image.config()));
            if (actual.isEmpty() || platform.runnable().contains(actual.get())) return Optional.empty();
            return Optional.of("WARNING: image with reference " + reference.familiar() + " was found but does not match the specified platform: "
                    + "wanted " + platform + ", actual: " + actual.get());
        }
    }
}
