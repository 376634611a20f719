package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.daemon.image.ImageRoutes;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Routes that take a container's files out of it: as an image, or as a tar.
final class SnapshotRoutes {
    private final ContainerStore store;
    private final LayerStore layers;
    private final Commits commits;
    private final ContainerEvents events;

    SnapshotRoutes(ContainerStore store, LayerStore layers, Commits commits, ContainerEvents events) {
        this.store = store;
        this.layers = layers;
        this.commits = commits;
        this.events = events;
    }

    List<Route> table() {
        return List.of(
                post("/commit", this::commit),
                get("/containers/{id}/export", this::export));
    }

    private Response commit(Request request) throws IOException {
        Optional<ImageReference> name = request.query("repo").map(repository -> ImageRoutes.reference(repository, request.query("tag")));
        String id = request.query("container").orElseThrow(() -> new InvalidRequest("invalid name or ID supplied: \"\""));
        // What is no field of a configuration asks for nothing: the container's own is meant then.
        Optional<ContainerConfig> config = request.optionalJson().filter(JsonNode::isObject)
                .filter(ContainerConfig::saysAnything).map(ContainerConfig::read);
        boolean pause = request.query("pause").isEmpty() || request.flag("pause");
        ImageId made = commits.commit(id, new Commits.Wish(name, request.query("comment").orElse(""), request.query("author").orElse(""), pause,
                request.queries("changes"), config));
        return Response.json(201, Map.of("Id", made.toString()));
    }

    private Response export(Request request) throws IOException {
        Container container = store.find(request.path("id"));
        if (container.state() instanceof ContainerState.Removing) {
            throw new Conflict("You cannot export container " + container.id() + " which is being removed");
        }
        ContainerLayer layer = layers.containerLayer(container.id().hex())
                .orElseThrow(() -> new IOException("no layer for container " + container.id()));
        return new Response.Stream(200, "application/octet-stream", body -> {
            try (InputStream tree = layer.openTree()) {
                events.publish(container.record(), "export");
                tree.transferTo(body);
            }
        });
    }
}
