package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.health.HealthFiles;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Optional;

/// Removes containers that do not run.
final class Removal {
    private static final Logger LOG = System.getLogger(Removal.class.getName());

    private final ContainerStore store;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final ContainerEvents events;
    private final HealthFiles health;

    Removal(ContainerStore store, LayerStore layers, ContainerVolumes volumes, ContainerEvents events, HealthFiles health) {
        this.store = store;
        this.layers = layers;
        this.volumes = volumes;
        this.events = events;
        this.health = health;
    }

    /// The caller holds the lock of `container`, which has no process.
    ///
    /// @param withVolumes also its anonymous volumes
    void remove(Container container, boolean withVolumes) throws IOException {
        ContainerRecord record = container.record();
        int code = record.state().exitCode();
        if (!(record.state() instanceof ContainerState.Removing)) container.publish(record.with(new ContainerState.Removing(code)));
        if (withVolumes) volumes.claim(record, store);
        store.beginRemoval(record.id());
        Optional<ContainerLayer> layer = layers.containerLayer(record.id().hex());
        if (layer.isPresent()) layer.get().remove();
        volumes.dropImages(record.id());
        volumes.giveBack(record.id(), record.mounts(), withVolumes);
        store.forget(record.id().hex());
        health.delete(record.id().hex());
        store.remove(container);
        container.attachments.failAll(new IOException("container " + record.id() + " was removed"));
        events.publish(record, "destroy");
        container.waiters.removed(code);
    }

    /// For `--rm`: removes a container that has ended, if nobody started or removed it meanwhile.
    void removeEnded(Container container) {
        try (var _ = container.lock()) {
            if (container.state().isAlive() || store.get(container.id().hex()).isEmpty()) return;
            remove(container, true);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.ERROR, "Container {0} ended and cannot be removed: {1}", container.id(), e.getMessage());
        }
    }

    /// Finishes what a crash interrupted.
    void finish() {
        for (String id : store.unfinished()) {
            try {
                Optional<ContainerLayer> layer = layers.containerLayer(id);
                if (layer.isPresent()) layer.get().remove();
                volumes.dropImages(new ContainerId(id));
                volumes.removeClaimed(store.claimed(id));
                store.forget(id);
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.WARNING, "What is left of container {0} cannot be removed: {1}", id, e.getMessage());
            }
        }
    }
}
