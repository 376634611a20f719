package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.DeltaCreation;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// `POST /images/delta`, which balenaEngine has and Docker has not.
public final class DeltaRoutes {
    private final DeltaCreation deltas;
    private final Images images;
    private final ImageEvents events;

    public DeltaRoutes(DeltaCreation deltas, Images images, Events events) {
        this.deltas = deltas;
        this.images = images;
        this.events = new ImageEvents(events);
    }

    public List<Route> table() {
        return List.of(post("/images/delta", this::create));
    }

    private Response create(Request request) {
        String sourceName = request.query("src").orElse("");
        Image source = image(sourceName);
        Image target = image(request.query("dest").orElse(""));
        Optional<ImageReference> name = request.query("t").map(DeltaRoutes::name);
        return new Response.Stream(200, "application/json", out -> MessageStream.run(progress -> {
            DeltaCreation.Made made = deltas.create(source, sourceName, target, name, progress);
            progress.status("", String.format(Locale.ROOT, "Normal size: %s, Delta size: %s, %.2fx improvement",
                    JsonMessage.humanSize(made.normal()), JsonMessage.humanSize(made.delta()), made.improvement()));
            progress.status("", "Created delta: " + made.id());
            if (name.isEmpty()) return;
            events.publish("tag", made.id().toString(), name.get().familiar(), images.find(made.id()));
            progress.status("", "Successfully tagged " + name.get().familiar() + "\n");
        }, out));
    }

    private Image image(String name) {
        try {
            return images.resolve(name);
        } catch (DistributionException.NoSuchImage e) {
            throw new NotFound("no such image: " + name + ": " + e.getMessage());
        }
    }

    private static ImageReference name(String text) {
        ImageReference name = ImageRoutes.reference(text, Optional.empty());
        if (name.digest().isPresent()) throw new InvalidRequest("build tag cannot contain a digest");
        return name.withDefaultTag();
    }
}
