package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;

/// One layer on its way into a repository, for all the pushes that want it there: found, taken over from another repository, or sent.
final class LayerUpload implements Transfer<UploadListener> {
    private static final Logger LOG = System.getLogger(LayerUpload.class.getName());

    /// @param target the repository to push to
    record Order(Repository repository, ImageReference target, Layer layer, Credentials credentials) {}

    private final Order order;
    private final Repository repository;
    private final LayerStore layers;
    private final BlobRecords records;
    private final ReproducibleGzip gzip;
    private final RetryPolicy retries;

    private final Cancellation cancellation = new Cancellation();
    private final Listeners<UploadListener> listeners = new Listeners<>();
    private final CompletableFuture<Descriptor> uploaded = new CompletableFuture<>();
    /// Nothing of it is running any more.
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    /// @param order for a layer that the caller has retained; this retains it for as long as it takes
    LayerUpload(Order order, LayerStore layers, BlobRecords records, ReproducibleGzip gzip, RetryPolicy retries) {
        this.order = order;
        this.repository = order.repository().another();
        this.layers = layers;
        this.records = records;
        this.gzip = gzip;
        this.retries = retries;
        layers.retain(order.layer().chainId());
    }

    @Override
    public String threadName() {
        return "push-" + order.layer().diffId().digest().shortHex();
    }

    @Override
    public Listeners<UploadListener> listeners() {
        return listeners;
    }

    /// Whoever comes after its end asks the registry again.
    @Override
    public boolean isOver() {
        return uploaded.isDone();
    }

    CompletableFuture<Descriptor> uploaded() {
        return uploaded;
    }

    @Override
    public CompletableFuture<Void> ended() {
        return ended;
    }

    @Override
    public void run() {
        try {
            cancellation.check();
            uploaded.complete(bring());
        } catch (Throwable e) {
            // Even an Error: somebody waits for the outcome.
            uploaded.completeExceptionally(e);
        } finally {
            end();
        }
    }

    @Override
    public void cancel(boolean started) {
        cancellation.cancel();
        uploaded.completeExceptionally(new CancellationException());
        if (!started) end();
    }

    private void end() {
        repository.close();
        try {
            layers.release(order.layer().chainId());
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not remove layer " + order.layer().chainId() + ": " + e);
        }
        ended.complete(null);
    }

    private Descriptor bring() throws IOException {
        RemoteBlobs blobs = new RemoteBlobs(repository, cancellation);
        LayerSearch.Found found = retries.retrying(cancellation, this::retryingIn, () ->
                new LayerSearch(blobs, order.target(), order.layer(), order.credentials(), records).run());
        return switch (found) {
            case LayerSearch.Found.InRepository(Descriptor blob) -> done(blob, "Layer already exists");
            case LayerSearch.Found.Mounted(Descriptor blob, String source) -> done(blob, "Mounted from " + source);
            case LayerSearch.Found.Nowhere(Optional<UploadSession> begun) -> done(send(blobs, begun), "Pushed");
        };
    }

    private Descriptor done(Descriptor blob, String how) {
        listeners.tell(listener -> listener.complete(how));
        return blob;
    }

    private Descriptor send(RemoteBlobs blobs, Optional<UploadSession> begun) throws IOException {
        String name = "packing-" + order.layer().diffId().digest().shortHex();
        RequestBody.Sent sent = new BlobUpload(blobs, this::pack, begun, retries, this::retryingIn, name).send();
        records.record(LoginMark.of(order.credentials()).mark(sent.digest(), order.target().fullName()), order.layer().diffId());
        return new Descriptor(Manifest.SCHEMA2_LAYER, sent.digest(), sent.size());
    }

    private void pack(OutputStream out) throws IOException {
        ChainId chain = order.layer().chainId();
        try (InputStream tar = layers.openTar(chain)) {
            gzip.pack(tar, out, passed -> listeners.tell(listener -> listener.pushing(passed)));
        }
    }

    private void retryingIn(int seconds) {
        listeners.tell(listener -> listener.retryingIn(seconds));
    }
}
