package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.Route.get;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.List;

/// The endpoints that look at what runs: its processes, and what it uses.
final class ObservationRoutes {
    private static final String JSON_TYPE = "application/json";

    private final ContainerStore store;
    private final Path bundles;

    /// @param bundles one folder for each container that runs
    ObservationRoutes(ContainerStore store, Path bundles) {
        this.store = store;
        this.bundles = bundles;
    }

    List<Route> table() {
        return List.of(
                get("/containers/{id}/top", this::top),
                get("/containers/{id}/stats", this::stats));
    }

    private Path bundle(Container container) {
        return bundles.resolve(container.id().hex());
    }

    private Response top(Request request) throws IOException {
        Container container = store.find(request.path("id"));
        return Response.json(ProcessList.of(container, bundle(container), request.query("ps_args").orElse("-ef")));
    }

    private Response stats(Request request) {
        Container container = store.find(request.path("id"));
        var stats = new ContainerStats(container, bundle(container));
        boolean stream = request.query("stream").isEmpty() || request.flag("stream");
        boolean once = request.flag("one-shot");
        if (stream && once) throw new InvalidRequest("cannot have stream=true and one-shot=true");
        if (once) return Response.json(stats.sample());
        return new Response.Stream(200, JSON_TYPE, body -> {
            try {
                if (!stream) {
                    stats.sample(); // the processor's share is a difference of two
                    if (container.state().isAlive()) Thread.sleep(1000);
                    body.write((stats.sample() + "\n").getBytes(UTF_8));
                    return;
                }
                while (store.get(container.id().hex()).isPresent()) {
                    body.write((stats.sample() + "\n").getBytes(UTF_8));
                    body.flush();
                    Thread.sleep(1000);
                }
            } catch (InterruptedException e) {
                throw new InterruptedIOException("the client left");
            }
        });
    }
}
