package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.head;
import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineVersion;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.util.List;
import java.util.Map;

/// Routes that say whether the engine is there and which one it is.
public final class SystemRoutes {
    // Without Builder-Version 2 the docker CLI builds with the classic builder.
    private static final Map<String, String> PING_HEADERS = Map.of(
            "Cache-Control", "no-cache, no-store, must-revalidate",
            "Pragma", "no-cache",
            "Builder-Version", "1",
            "Swarm", "inactive");
    private static final String TEXT = "text/plain; charset=utf-8";

    private final boolean experimental;

    public SystemRoutes(boolean experimental) {
        this.experimental = experimental;
    }

    public List<Route> table() {
        return List.of(
                get("/_ping", (Route.Immediate) this::ping),
                head("/_ping", (Route.Immediate) this::ping),
                get("/version", this::version),
                post("/session", _ -> noBuildKit()),
                post("/grpc", _ -> noBuildKit()),
                new Route("OPTIONS", "/{any...}", _ -> new Response.Empty(200)));
    }

    private Response ping(Request request) {
        return new Response.WithHeaders(PING_HEADERS, new Response.Text(200, TEXT, "OK"));
    }

    /// As balenaEngine without BuildKit.
    private static Response noBuildKit() {
        throw new InvalidRequest("this engine has no BuildKit: sessions are not supported");
    }

    private Response version(Request request) {
        return Response.json(VersionReport.of(EngineVersion.current(), experimental));
    }
}
