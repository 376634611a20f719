package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Pulls images from registries: verified, streamed, layers side by side, without temporary files.
public final class ImagePuller {
    private static final Logger LOG = System.getLogger(ImagePuller.class.getName());
    private static final long LARGEST_CONFIG = 4 << 20;

    private final LayerStore layers;
    private final Images images;
    private final RegistryConfig config;
    private final RetryPolicy retries;
    private final LayerDownloads downloads;
    private final HttpConnections connections = new HttpConnections();

    /// One per data root: pulls share downloads through it. Opens no connection and loads no HTTP client before the first pull.
    public ImagePuller(Path dataRoot, LayerStore layers, Images images, RegistryConfig config) {
        this(dataRoot, layers, images, config, RetryPolicy.of(config.downloads().attempts()));
    }

    ImagePuller(Path dataRoot, LayerStore layers, Images images, RegistryConfig config, RetryPolicy retries) {
        this.layers = layers;
        this.images = images;
        this.config = config;
        this.retries = retries;
        this.downloads = new LayerDownloads(layers, new BlobRecords(dataRoot), retries, config.downloads().atOnce());
    }

    /// Pulls `reference` and gives the image that name.
    ///
    /// @param platform `os[/arch[/variant]]`; empty for this machine's
    /// @throws DistributionException when the registry, the network or the content is at fault
    /// @throws java.io.InterruptedIOException when the calling thread was interrupted because the client has left
    public ImageId pull(ImageReference reference, Optional<String> platform, Credentials credentials, Progress progress)
            throws IOException {
        ImageReference wanted = reference.decisive();
        return fromOneThatHasIt(wanted, credentials, (repository, patience) -> {
            Pull.Outcome outcome = new Pull(wanted, platform, repository, patience, progress).run();
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
        fromOneThatHasIt(reference, credentials, (repository, patience) -> {
            boolean news = false;
            Cancellation cancellation = new Cancellation();
            for (String tag : patience.retrying(cancellation, () -> repository.tags(cancellation))) {
                if (!ImageReference.isTag(tag)) throw new DistributionException.InvalidContent("invalid tag format", null);
                news |= new Pull(reference.withTag(tag), platform, repository, patience, progress).run().news();
            }
            sayOutcome(reference, news, progress);
            return null;
        });
    }

    private static void sayOutcome(ImageReference wanted, boolean news, Progress progress) {
        progress.status("", "Status: " + (news ? "Downloaded newer image for " : "Image is up to date for ") + wanted.familiar());
    }

    private interface Source<T> {
        /// @param patience with its manifests
        T pull(Repository repository, RetryPolicy patience) throws IOException;
    }

    /// Mirrors first. Whatever is wrong with one, be it a lie, somebody else is asked; only the registry itself has the last word.
    private <T> T fromOneThatHasIt(ImageReference wanted, Credentials credentials, Source<T> source) throws IOException {
        if (wanted.familiarName().equals("scratch")) throw new DistributionException.InvalidRequest("'scratch' is a reserved name");
        for (Endpoint endpoint : config.endpoints().toPullFrom(wanted.domain())) {
            try (Repository repository = Repository.open(wanted, endpoint, Access.PULL, credentials, config, connections)) {
                return source.pull(repository, endpoint.mirror() ? retries.once() : retries);
            } catch (RegistryFailure e) {
                if (!endpoint.mirror()) throw e.forPullOf(wanted);
                LOG.log(Level.INFO, "Attempting next endpoint for pull after error: " + endpoint + ": " + e.getMessage());
            } catch (DistributionException e) {
                if (!endpoint.mirror()) throw e;
                LOG.log(Level.INFO, "Attempting next endpoint for pull after error: " + endpoint + ": " + e.getMessage());
            }
        }
        throw new AssertionError("the registry itself is the last endpoint");
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
            return new Outcome(id, !(named && present), platformWasAskedFor ? otherPlatform(id) : Optional.empty());
        }

        private Repository.Fetched fetch(String tagOrDigest) throws IOException {
            return patience.retrying(cancellation, () -> repository.manifest(tagOrDigest, cancellation));
        }

        private Manifest.OfImage imageFor(Manifest manifest) throws IOException {
            return switch (manifest) {
                case Manifest.OfImage image -> image;
                case Manifest.Index index -> {
                    Repository.Fetched chosen = fetch(index.choose(platform).digest().toString());
                    if (Manifest.parse(chosen.content(), chosen.mediaType()) instanceof Manifest.OfImage image) yield image;
                    throw new DistributionException.InvalidContent("unsupported manifest format", null);
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
                throw new DistributionException.InvalidContent(
                        "image operating system \"" + os + "\" cannot be used on this platform", null);
            }
            if (config.diffIds().size() != image.layers().size()) {
                throw new DistributionException.InvalidContent("layers from manifest don't match image configuration", null);
            }
            PulledLayers pulled = new PulledLayers(layers, downloads, image.layers(), config.diffIds());
            images.register(document, pulled.fetch(repository, reference.fullName(), progress), names);
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
