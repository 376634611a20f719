package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.Route.delete;
import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;
import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.Containers.Condition;
import io.balena.engine.daemon.container.Containers.Outcome;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.HostDefaults;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/// Routes under `/containers` that are one question and one answer. The table is the index.
final class ContainerRoutes {
    private static final String JSON_TYPE = "application/json";
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final ContainerStore store;
    private final Creation creation;
    private final Supplier<HostDefaults> defaults;
    private final Containers containers;
    private final Updates updates;
    private final ContainerInspect inspect;
    private final ContainerList list;
    private final LayerStore layers;

    ContainerRoutes(ContainerStore store, Creation creation, Supplier<HostDefaults> defaults, Containers containers, Updates updates, ContainerInspect inspect,
            ContainerList list, LayerStore layers) {
        this.store = store;
        this.creation = creation;
        this.defaults = defaults;
        this.containers = containers;
        this.updates = updates;
        this.inspect = inspect;
        this.list = list;
        this.layers = layers;
    }

    List<Route> table() {
        return List.of(
                post("/containers/create", this::create),
                post("/containers/prune", this::prune),
                get("/containers/json", this::list),
                get("/containers/{id}/json", this::inspect),
                get("/containers/{id}/changes", this::changes),
                post("/containers/{id}/start", this::start),
                post("/containers/{id}/stop", this::stop),
                post("/containers/{id}/restart", this::restart),
                post("/containers/{id}/kill", this::kill),
                post("/containers/{id}/pause", this::pause),
                post("/containers/{id}/unpause", this::unpause),
                post("/containers/{id}/wait", this::await),
                post("/containers/{id}/rename", this::rename),
                post("/containers/{id}/update", this::update),
                post("/containers/{id}/resize", this::resize),
                delete("/containers/{id}", this::remove));
    }

    private Response create(Request request) throws IOException {
        JsonNode body = request.json();
        if (!body.isObject() || body.isEmpty()) throw new InvalidRequest("Config cannot be empty in order to create a container");
        JsonNode networks = body.path("NetworkingConfig").path("EndpointsConfig");
        var created = creation.create(new Creation.Request(request.query("name"), ContainerConfig.read(body, request.version()),
                HostConfig.read(object(body, "HostConfig"), defaults.get()), networks, request.version()));
        ObjectNode answer = JSON.objectNode().put("Id", created.id().hex());
        var warnings = answer.putArray("Warnings");
        created.warnings().forEach(warnings::add);
        return Response.json(201, answer);
    }

    private static JsonNode object(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (value.isMissingNode() || value.isNull()) return JSON.objectNode();
        if (!value.isObject()) {
            throw new InvalidRequest("json: cannot unmarshal " + value.getNodeType().name().toLowerCase(Locale.ROOT)
                    + " into Go struct field ContainerConfigWrapper." + field + " of type container." + field);
        }
        return value;
    }

    private Response list(Request request) throws IOException {
        return Response.json(list.list(request.flag("all"), request.integer("limit", 0), request.flag("size"), request.filters(),
                request.version()));
    }

    private Response inspect(Request request) throws IOException {
        return Response.json(inspect.of(store.find(request.path("id")), request.flag("size"), request.version()));
    }

    private Response start(Request request) throws IOException {
        return answer(containers.start(request.path("id")));
    }

    private Response stop(Request request) throws IOException {
        return answer(containers.stop(request.path("id"), signal(request), timeout(request)));
    }

    private static Response answer(Outcome outcome) {
        return switch (outcome) {
            case DONE -> Response.noContent();
            case NOTHING_TO_DO -> Response.notModified();
        };
    }

    private static Optional<Signal> signal(Request request) {
        return request.query("signal").map(Signal::parse);
    }

    private static Optional<Duration> timeout(Request request) {
        return request.query("t").map(_ -> Duration.ofSeconds(request.integer("t", 0)));
    }

    private Response restart(Request request) throws IOException {
        Container container = store.find(request.path("id"));
        try {
            containers.restart(container.id().hex(), signal(request), timeout(request));
        } catch (EngineException e) {
            throw new SystemFailure("Cannot restart container " + request.path("id") + ": " + e.getMessage(), e);
        }
        return Response.noContent();
    }

    private Response kill(Request request) throws IOException {
        Signal signal = signal(request).orElse(Signal.KILL);
        try {
            containers.kill(request.path("id"), signal);
        } catch (EngineException e) {
            throw e.after("Cannot kill container: " + request.path("id") + ": ");
        }
        return Response.noContent();
    }

    private Response pause(Request request) throws IOException {
        containers.pause(request.path("id"));
        return Response.noContent();
    }

    private Response unpause(Request request) throws IOException {
        containers.unpause(request.path("id"));
        return Response.noContent();
    }

    private Response await(Request request) {
        Condition condition = switch (request.query("condition").orElse("not-running")) {
            case "not-running" -> Condition.NOT_RUNNING;
            case "next-exit" -> Condition.NEXT_EXIT;
            case "removed" -> Condition.REMOVED;
            case String other -> throw new InvalidRequest("invalid condition: \"" + other + "\"");
        };
        boolean errorField = !request.version().atLeast(1, 42); // from then on, it is there only when there is one
        CompletableFuture<Integer> ended = containers.await(request.path("id"), condition);
        return new Response.Stream(200, JSON_TYPE, body -> {
            body.flush(); // the client starts the container only when it knows that it is waited for
            try {
                body.write(((errorField ? "{\"Error\":null,\"StatusCode\":" : "{\"StatusCode\":") + ended.get() + "}\n").getBytes(US_ASCII));
            } catch (InterruptedException e) {
                ended.cancel(false);
                throw new InterruptedIOException("the client left");
            } catch (ExecutionException e) {
                throw new IOException(e.getCause());
            }
        });
    }

    private Response rename(Request request) throws IOException {
        containers.rename(request.path("id"), request.query("name").orElse(""));
        return Response.noContent();
    }

    private Response update(Request request) throws IOException {
        List<String> warnings = updates.update(request.path("id"), HostConfig.readChange(request.json()));
        ObjectNode answer = JSON.objectNode();
        if (warnings.isEmpty()) answer.putNull("Warnings");
        else warnings.forEach(answer.putArray("Warnings")::add);
        return Response.json(answer);
    }

    private Response resize(Request request) throws IOException {
        containers.resize(request.path("id"), request.integer("h", 0), request.integer("w", 0));
        return new Response.Empty(200);
    }

    private Response remove(Request request) throws IOException {
        if (request.flag("link")) throw new InvalidRequest("links between containers are not supported");
        containers.remove(request.path("id"), request.flag("force"), request.flag("v"));
        return Response.noContent();
    }

    private Response prune(Request request) throws IOException {
        var deleted = JSON.arrayNode();
        long reclaimed = 0;
        for (String id : list.prunable(request.filters())) {
            long size = layers.containerLayer(id).isPresent() ? layers.containerLayer(id).get().size() : 0;
            containers.remove(id, false, false);
            deleted.add(id);
            reclaimed += size;
        }
        ObjectNode answer = JSON.objectNode();
        answer.set("ContainersDeleted", deleted.isEmpty() ? JSON.nullNode() : deleted);
        return Response.json(answer.put("SpaceReclaimed", reclaimed));
    }

    private Response changes(Request request) throws IOException {
        Container container = store.find(request.path("id"));
        Optional<ContainerLayer> layer = layers.containerLayer(container.id().hex());
        var answer = JSON.arrayNode();
        if (layer.isPresent()) {
            for (ContainerLayer.Change change : layer.get().changes()) {
                answer.addObject().put("Path", change.path()).put("Kind", switch (change.kind()) {
                    case MODIFIED -> 0;
                    case ADDED -> 1;
                    case DELETED -> 2;
                });
            }
        }
        return Response.json(answer.isEmpty() ? JSON.nullNode() : answer);
    }
}
