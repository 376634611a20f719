package io.balena.engine.daemon.system;

import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Answers about swarms and plugins, which this engine does not have, as a Docker engine gives that has joined no swarm and has no
/// plugin installed: tools that ask as a matter of course go on.
public final class SwarmRoutes {
    private static final Response NO_SWARM = Response.json(503, Map.of(
            "message",
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."));

    private static final Response NO_PLUGINS = Response.json(404, Map.of("message", "this engine has no managed plugins"));

    public List<Route> table() {
        List<Route> routes = new ArrayList<>();
        routes.add(Route.post("/swarm/leave", _ -> Response.json(503, Map.of("message", "This node is not part of a swarm"))));
        for (String kind : List.of("swarm", "services", "tasks", "nodes", "secrets", "configs")) {
            for (String method : List.of("GET", "POST", "DELETE")) {
                routes.add(new Route(method, "/" + kind, _ -> NO_SWARM));
                routes.add(new Route(method, "/" + kind + "/{rest...}", _ -> NO_SWARM));
            }
        }
        routes.add(Route.get("/plugins", _ -> Response.json(List.of())));
        routes.add(Route.get("/plugins/{name...}/json", SwarmRoutes::noPlugin));
        routes.add(Route.delete("/plugins/{name...}", SwarmRoutes::noPlugin));
        for (String verb : List.of("enable", "disable", "push", "set", "upgrade")) {
            routes.add(Route.post("/plugins/{name...}/" + verb, SwarmRoutes::noPlugin));
        }
        for (String path : List.of("/plugins/create", "/plugins/pull")) routes.add(Route.post(path, _ -> NO_PLUGINS));
        routes.add(Route.get("/plugins/privileges", _ -> NO_PLUGINS));
        return routes;
    }

    private static Response noPlugin(Request request) {
        throw new NotFound("plugin \"" + request.path("name") + "\" not found");
    }
}
