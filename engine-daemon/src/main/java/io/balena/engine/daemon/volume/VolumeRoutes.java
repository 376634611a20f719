package io.balena.engine.daemon.volume;

import static io.balena.engine.daemon.http.Route.delete;
import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;
import static io.balena.engine.daemon.http.Route.put;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.Unavailable;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.io.IOException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Routes under `/volumes`.
public final class VolumeRoutes {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    /// Volumes of a cluster are a swarm's.
    private static final String NO_SWARM = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect"
            + " this node to swarm and try again.";

    private final Volumes volumes;
    private final VolumeFilter filter;

    public VolumeRoutes(Volumes volumes) {
        this.volumes = volumes;
        this.filter = new VolumeFilter(volumes);
    }

    public List<Route> table() {
        return List.of(
                get("/volumes", this::list),
                get("/volumes/{name}", this::inspect),
                post("/volumes/create", this::create),
                post("/volumes/prune", this::prune),
                put("/volumes/{name}", _ -> {
                    throw new Unavailable("volume update only valid for cluster volumes, but swarm is unavailable", null);
                }),
                delete("/volumes/{name}", this::remove));
    }

    private Response list(Request request) {
        ObjectNode answer = JSON.objectNode();
        ArrayNode list = answer.putArray("Volumes");
        filter.listed(request.filters()).forEach(volume -> list.add(json(volume)));
        return Response.json(answer.putNull("Warnings"));
    }

    private Response inspect(Request request) {
        return Response.json(json(volumes.find(request.path("name"))));
    }

    private Response create(Request request) throws IOException {
        JsonNode body = request.json();
        if (request.version().atLeast(1, 42) && body.path("ClusterVolumeSpec").isObject()) throw new Unavailable(NO_SWARM, null);
        Description described = new Description(texts(body, "Labels"), texts(body, "DriverOpts"));
        return Response.json(201, json(volumes.create(text(body, "Name"), text(body, "Driver"), described)));
    }

    private static String text(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (!value.isMissingNode() && !value.isNull() && !value.isTextual()) throw wrongType(value, field, "string");
        return value.asText("");
    }

    private static Map<String, String> texts(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (value.isMissingNode() || value.isNull()) return null;
        if (!value.isObject()) throw wrongType(value, field, "map[string]string");
        for (JsonNode each : value) if (!each.isTextual()) throw wrongType(each, field, "string");
        return Description.texts(value);
    }

    private static InvalidRequest wrongType(JsonNode given, String field, String type) {
        String what = given.isTextual() ? "string" : given.isBoolean() ? "bool" : given.getNodeType().toString().toLowerCase(Locale.ROOT);
        return new InvalidRequest("json: cannot unmarshal " + what + " into Go struct field VolumeCreateBody." + field + " of type " + type);
    }

    private Response remove(Request request) throws IOException {
        try {
            volumes.remove(request.path("name"));
        } catch (NotFound e) {
            if (!request.flag("force")) throw e;
        }
        return Response.noContent();
    }

    private Response prune(Request request) throws IOException {
        Volumes.Pruned pruned = volumes.prune(filter.prunable(request.filters(), request.version()));
        ObjectNode answer = JSON.objectNode();
        pruned.names().forEach(answer.putArray("VolumesDeleted")::add);
        return Response.json(answer.put("SpaceReclaimed", pruned.bytes()));
    }

    /// All volumes of which the engine knows the size, as `/system/df` shows them: what is mounted into one may lie on another machine.
    public List<JsonNode> usage() throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (Volume volume : volumes.all()) {
            if (volume.mount().isPresent()) continue;
            ObjectNode row = json(volume);
            row.putObject("UsageData").put("RefCount", volumes.containersOf(volume.name()).size()).put("Size", VolumeSize.of(volume));
            rows.add(row);
        }
        return rows;
    }

    private static ObjectNode json(Volume volume) {
        ObjectNode json = JSON.objectNode();
        json.put("CreatedAt", volume.created().truncatedTo(ChronoUnit.SECONDS).toString());
        // In the order of Docker's answers.
        json.put("Driver", Volume.DRIVER).set("Labels", Description.json(volume.description().labels()));
        json.put("Mountpoint", volume.data().toString()).put("Name", volume.name());
        json.set("Options", Description.json(volume.description().options()));
        return json.put("Scope", "local");
    }
}
