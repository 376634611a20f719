package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;

import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Routes under `/volumes`. There are no volumes yet; this says so in a way clients understand.
public final class VolumeRoutes {
    public List<Route> table() {
        return List.of(
                get("/volumes", this::list),
                get("/volumes/{name}", this::missing),
                Route.delete("/volumes/{name}", this::missing),
                Route.post("/volumes/prune", _ -> Response.json(prune())),
                Route.notYet("POST", "/volumes/create", "creating volumes"));
    }

    private Response list(Request request) {
        Map<String, Object> volumes = new LinkedHashMap<>();
        volumes.put("Volumes", List.of());
        volumes.put("Warnings", null);
        return Response.json(volumes);
    }

    private Response missing(Request request) {
        throw new NotFound("get " + request.path("name") + ": no such volume");
    }

    private static Map<String, Object> prune() {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("VolumesDeleted", null);
        report.put("SpaceReclaimed", 0);
        return report;
    }
}
