package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// `GET /system/df`, and what it shows of builds: there is no build cache.
public final class DiskUsageRoutes {
    private static final Set<String> TYPES = Set.of("container", "image", "volume", "build-cache");

    private final DiskUsage usage;

    /// What takes room, each as its own list endpoint shows it, with sizes.
    public interface DiskUsage {
        /// Bytes of all layers, each counted once.
        long layersSize();

        List<?> images(ApiVersion version);

        List<?> containers(ApiVersion version) throws IOException;

        List<?> volumes() throws IOException;
    }

    public DiskUsageRoutes(DiskUsage usage) {
        this.usage = usage;
    }

    public List<Route> table() {
        return List.of(get("/system/df", this::usage), post("/build/prune", this::pruneBuildCache));
    }

    private Response usage(Request request) throws IOException {
        List<String> asked = request.version().atLeast(1, 42) ? request.queries("type") : List.of();
        for (String type : asked) if (!TYPES.contains(type)) throw new InvalidRequest("unknown object type: " + type);
        Map<String, Object> report = new LinkedHashMap<>();
        boolean images = wanted(asked, "image");
        report.put("LayersSize", images ? usage.layersSize() : 0);
        report.put("Images", images ? usage.images(request.version()) : null);
        report.put("Containers", wanted(asked, "container") ? usage.containers(request.version()) : null);
        report.put("Volumes", wanted(asked, "volume") ? usage.volumes() : null);
        report.put("BuildCache", wanted(asked, "build-cache") && request.version().atLeast(1, 42) ? List.of() : null);
        report.put("BuilderSize", 0);
        return Response.json(report);
    }

    private Response pruneBuildCache(Request request) {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("CachesDeleted", null);
        report.put("SpaceReclaimed", 0);
        return Response.json(report);
    }

    private static boolean wanted(List<String> asked, String type) {
        return asked.isEmpty() || asked.contains(type);
    }
}
