package io.balena.engine.distribution;

import io.balena.engine.delta.DeltaFormat;
import io.balena.engine.delta.DeltaMaker;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;

/// Makes delta images between two images of the store.
///
/// Memory, outside the heap: a quarter of the base's size and 48 MB; so one is made at a time. On the disk: the delta of one layer twice,
/// for a moment.
public final class DeltaCreation {
    /// What a layer holds that base and target have in common: a tar of no members.
    private static final byte[] NOTHING = new byte[1024];

    private final Images images;
    private final LayerStore layers;
    private final DeltaBases bases;
    private final Path scratch;
    private final Semaphore turn = new Semaphore(1, true);

    /// @param scratch a folder for files without names
    public DeltaCreation(Images images, LayerStore layers, DeltaBases bases, Path scratch) {
        this.images = images;
        this.layers = layers;
        this.bases = bases;
        this.scratch = scratch;
    }

    /// @param normal bytes of the target's layers that the base does not have, as tars
    /// @param delta bytes of their deltas
    public record Made(ImageId id, long normal, long delta) {
        /// How many times smaller; 1 when nothing differs.
        public double improvement() {
            return delta == 0 ? 1 : (double) normal / delta;
        }
    }

    /// @param sourceName what the caller calls the base, for the messages
    /// @param name what the delta is to be called
    /// @throws java.io.InterruptedIOException when the calling thread is interrupted
    public Made create(Image source, String sourceName, Image target, Optional<ImageReference> name, Progress progress) throws IOException {
        name.ifPresent(Images::checkName);
        var config = new DeltaConfig(source.id(), images.configuration(target.id()), Instant.now());
        awaitTurn();
        try {
            return images.bringingIn(() -> create(source, sourceName, target, config, name, progress));
        } finally {
            turn.release();
        }
    }

    private void awaitTurn() throws InterruptedIOException {
        try {
            turn.acquire();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the client has left");
        }
    }

    private Made create(Image source, String sourceName, Image target, DeltaConfig config, Optional<ImageReference> name, Progress progress)
            throws IOException {
        try (DeltaBase base = bases.open(source); DeltaBase held = bases.open(target); var made = new HeldLayers(layers)) {
            var creation = new Creation(base, held, target.diffIds(), made, progress);
            creation.run(sourceName);
            Optional<ChainId> top = ChainId.of(creation.wrappers);
            // Held all along; this use is the image's.
            top.ifPresent(layers::retain);
            ImageId id = images.register(config.document(creation.wrappers), top, name.stream().toList());
            if (name.isPresent()) images.noteTagged(id);
            return new Made(id, creation.normal, creation.delta);
        }
    }

    /// One delta, layer by layer.
    private final class Creation {
        private final DeltaBase base;
        private final DeltaBase target;
        private final List<DiffId> targetLayers;
        private final HeldLayers made;
        private final Progress progress;
        private final List<DiffId> wrappers = new ArrayList<>();
        private long normal;
        private long delta;

        Creation(DeltaBase base, DeltaBase target, List<DiffId> targetLayers, HeldLayers made, Progress progress) {
            this.base = base;
            this.target = target;
            this.targetLayers = targetLayers;
            this.made = made;
            this.progress = progress;
        }

        void run(String sourceName) throws IOException {
            long size = base.size();
            long begun = System.nanoTime();
            try (DeltaMaker maker = DeltaFormat.LIBRSYNC.maker(base, done -> progress.advance(sourceName, "Fingerprinting", done, size))) {
                Duration took = Duration.ofNanos(System.nanoTime() - begun);
                progress.status(sourceName, "Fingerprint complete, took " + GoDuration.text(took));
                for (DiffId layer : targetLayers) progress.status(layer.digest().shortHex(), "Waiting");
                Optional<ChainId> chain = Optional.empty();
                for (DiffId layer : targetLayers) {
                    chain = Optional.of(ChainId.of(chain, layer));
                    if (base.layer(chain.get()).isPresent()) skip(layer);
                    else add(layer, target.layer(chain.get()).orElseThrow(), maker);
                }
            }
        }

        private void skip(DiffId layer) throws IOException {
            progress.status(layer.digest().shortHex(), "Skipping common layer");
            commit(new ByteArrayInputStream(NOTHING));
        }

        private void add(DiffId layer, LayerTar tar, DeltaMaker maker) throws IOException {
            String id = layer.digest().shortHex();
            try (var spool = new DeltaSpool(scratch)) {
                long size = tar.size();
                try (InputStream bytes = tar.open()) {
                    OutputStream out = spool.out();
                    maker.make(bytes, out, done -> progress.advance(id, "Computing delta", done, size));
                    out.flush();
                }
                normal += size;
                delta += spool.size();
                commit(spool.layer());
            }
            progress.status(id, "Delta complete");
        }

        private void commit(InputStream wrapper) throws IOException {
            try (StagedLayer staged = layers.stage()) {
                wrappers.add(staged.extract(wrapper));
                Optional<ChainId> below = ChainId.of(wrappers.subList(0, wrappers.size() - 1));
                Layer layer = Undisturbed.run(() -> staged.commit(below));
                made.takeOver(layer.chainId());
            }
        }
    }
}
