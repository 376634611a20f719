package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineVersion;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.image.ImageEvents;
import io.balena.engine.distribution.Commit;
import io.balena.engine.distribution.ConfigChanges;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Makes images of containers.
final class Commits {
    private static final Logger LOG = System.getLogger(Commits.class.getName());

    private final ContainerStore store;
    private final Containers containers;
    private final FreezeMarks marks;
    private final LayerStore layers;
    private final Images images;
    private final ContainerEvents events;
    private final ImageEvents imageEvents;

    /// How a client wants its image.
    ///
    /// @param name without a tag it becomes `latest`
    /// @param pause freeze the container while its files are read
    /// @param changes Dockerfile instructions
    /// @param config what the image's configuration says before the container's; empty for the container's alone
    record Wish(Optional<ImageReference> name, String comment, String author, boolean pause, List<String> changes,
            Optional<ContainerConfig> config) {}

    Commits(ContainerStore store, Containers containers, FreezeMarks marks, LayerStore layers, Images images, ContainerEvents events,
            ImageEvents imageEvents) {
        this.store = store;
        this.containers = containers;
        this.marks = marks;
        this.layers = layers;
        this.images = images;
        this.events = events;
        this.imageEvents = imageEvents;
    }

    ImageId commit(String idOrName, Wish wish) throws IOException {
        Container container = store.find(idOrName);
        ContainerRecord record = container.record();
        if (record.state() instanceof ContainerState.Removing) {
            throw new Conflict("You cannot commit container " + record.id() + " which is being removed");
        }
        ContainerLayer layer = layers.containerLayer(record.id().hex())
                .orElseThrow(() -> new IOException("no layer for container " + record.id()));
        Commit commit = new Commit(parent(record), record.id().hex(), String.join(" ", record.config().arguments()),
                config(record.config(), wish), record.config().document().deepCopy(), wish.author, wish.comment,
                EngineVersion.current().version(), wish.name.map(ImageReference::withDefaultTag));
        ImageId image;
        try (InputStream diff = wish.pause && freeze(container) ? frozenDiff(layer, container) : layer.openDiff()) {
            image = images.commit(commit, diff);
        }
        String given = wish.name.map(ImageReference::familiar).orElse("");
        if (!given.isEmpty()) imageEvents.publish("tag", image.toString(), given, images.find(image));
        events.publish(record, "commit", Map.of("comment", wish.comment, "imageID", image.toString(), "imageRef", given));
        return image;
    }

    private static Optional<ImageId> parent(ContainerRecord record) {
        return record.image().isEmpty() ? Optional.empty() : Optional.of(ImageId.parse(record.image()));
    }

    private static ObjectNode config(ContainerConfig ofContainer, Wish wish) {
        ObjectNode changed = wish.config.orElse(ofContainer).document().deepCopy();
        new ConfigChanges(changed).apply(wish.changes);
        return ContainerConfig.load(changed).over(ofContainer.document()).document();
    }

    /// @return false when it does not run, or is paused already
    private boolean freeze(Container container) throws IOException {
        if (!(container.state() instanceof ContainerState.Running)) return false;
        marks.set(container.id());
        boolean frozen = false;
        try {
            containers.pause(container.id().hex());
            frozen = true;
        } catch (Conflict e) {
            // It ended, or was paused, just now.
        } finally {
            if (!frozen) marks.clear(container.id());
        }
        return frozen;
    }

    private InputStream frozenDiff(ContainerLayer layer, Container container) throws IOException {
        try {
            return new Frozen(layer.openDiff(), container);
        } catch (IOException | RuntimeException e) {
            thaw(container);
            throw e;
        }
    }

    private void thaw(Container container) {
        try {
            try {
                containers.unpause(container.id().hex());
            } catch (EngineException.Conflict | EngineException.NotFound e) {
                // Somebody else has let it go on, or has ended it.
            } finally {
                marks.clear(container.id());
            }
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.ERROR, "container " + container.id() + " was paused for a commit and cannot be resumed: " + e);
        }
    }

    /// The files of a container that was frozen for being read: it goes on as soon as they are.
    private final class Frozen extends FilterInputStream {
        private final Container container;
        private boolean thawed;

        Frozen(InputStream in, Container container) {
            super(in);
            this.container = container;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int count = in.read(to, offset, length);
            if (count < 0) thawOnce();
            return count;
        }

        @Override
        public void close() throws IOException {
            try {
                in.close();
            } finally {
                thawOnce();
            }
        }

        private void thawOnce() {
            if (!thawed) thaw(container);
            thawed = true;
        }
    }
}
