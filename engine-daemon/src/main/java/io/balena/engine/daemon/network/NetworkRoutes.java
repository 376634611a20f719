package io.balena.engine.daemon.network;

import static io.balena.engine.daemon.http.Route.delete;
import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.network.NetworkException;
import io.balena.engine.network.NetworkRecord;
import io.balena.engine.network.Networks;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Routes under `/networks`.
public final class NetworkRoutes {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final Set<String> BOOLEANS = Set.of("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False");

    private final Networks networks;
    private final NetworkMembers members;
    private final NetworkFilter filter;
    private final Events events;

    public NetworkRoutes(Networks networks, NetworkMembers members, Events events) {
        this.networks = networks;
        this.members = members;
        this.filter = new NetworkFilter(members::isUsed, Clock.systemUTC());
        this.events = events;
    }

    public List<Route> table() {
        return List.of(
                get("/networks", this::list),
                get("/networks/{id}", this::inspect),
                post("/networks/create", this::create),
                post("/networks/{id}/connect", this::connect),
                post("/networks/{id}/disconnect", this::disconnect),
                post("/networks/prune", this::prune),
                delete("/networks/{id}", this::remove));
    }

    private Response list(Request request) {
        ArrayNode list = JSON.arrayNode();
        filter.listed(networks.all(), request.filters()).forEach(network -> list.add(NetworkJson.of(network, List.of())));
        return Response.json(list);
    }

    private Response inspect(Request request) throws IOException {
        String verbose = request.query("verbose").orElse("0");
        if (!BOOLEANS.contains(verbose)) {
            throw new InvalidRequest("invalid value for verbose: " + verbose + ": strconv.ParseBool: parsing \"" + verbose + "\": invalid syntax");
        }
        NetworkRecord network = networks.find(request.path("id"));
        if (!request.query("scope").orElse("local").equals("local")) {
            throw new NotFound("network " + request.path("id") + " not found");
        }
        return Response.json(NetworkJson.of(network, networks.endpoints(network.id())));
    }

    private Response create(Request request) throws IOException {
        NetworkRecord made = networks.create(NetworkJson.request(request.json()));
        publish("create", made);
        return Response.json(201, JSON.objectNode().put("Id", made.id()).put("Warning", ""));
    }

    private Response connect(Request request) throws IOException {
        JsonNode body = request.json();
        // Of two that are missing, clients hear of the container.
        members.require(container(body));
        members.connect(container(body), networks.find(request.path("id")), body.path("EndpointConfig"));
        return new Response.Empty(200);
    }

    private Response disconnect(Request request) throws IOException {
        JsonNode body = request.json();
        boolean force = body.path("Force").asBoolean(false);
        if (!force) members.require(container(body));
        members.disconnect(container(body), networks.find(request.path("id")), force);
        return new Response.Empty(200);
    }

    private static String container(JsonNode body) {
        String name = body.path("Container").asText("");
        if (name.isEmpty()) throw new InvalidRequest("invalid name or ID supplied: \"\"");
        return name;
    }

    private Response prune(Request request) throws IOException {
        List<String> removed = new ArrayList<>();
        for (NetworkRecord network : filter.prunable(networks.all(), request.filters())) {
            try {
                publish("destroy", networks.remove(network.id()));
                removed.add(network.name());
            } catch (NetworkException e) {
                // Used or removed since.
            }
        }
        events.publish("network", "prune", "", Map.of("reclaimed", "0"));
        ObjectNode answer = JSON.objectNode();
        if (removed.isEmpty()) answer.putNull("NetworksDeleted");
        else removed.forEach(answer.putArray("NetworksDeleted")::add);
        return Response.json(answer);
    }

    private Response remove(Request request) throws IOException {
        publish("destroy", networks.remove(request.path("id")));
        return Response.noContent();
    }

    private void publish(String action, NetworkRecord network) {
        events.publish("network", action, network.id(), Map.of("name", network.name(), "type", network.driver()));
    }
}
