package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Credentials;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImagePusher;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import java.util.List;
import java.util.Optional;

/// `POST /images/{name}/push`.
public final class PushRoutes {
    private final ImagePusher pusher;
    private final Images images;
    private final ImageEvents events;

    public PushRoutes(ImagePusher pusher, Images images, Events events) {
        this.pusher = pusher;
        this.images = images;
        this.events = new ImageEvents(events);
    }

    public List<Route> table() {
        return List.of(post("/images/{name...}/push", this::push));
    }

    private Response push(Request request) {
        ImageReference reference = reference(request);
        Credentials credentials = credentials(request);
        return new Response.Stream(200, "application/json", out -> MessageStream.run(progress -> {
            pusher.push(reference, credentials, progress);
            events.publish("push", reference.familiar(), reference.familiarName(), find(reference));
        }, out));
    }

    /// Without a tag all tags of the repository are meant.
    private static ImageReference reference(Request request) {
        Optional<String> tag = request.query("tag");
        if (tag.isPresent() && !tag.get().matches("\\w[\\w.-]{0,127}")) throw new InvalidRequest("invalid tag format");
        return ImageRoutes.reference(request.path("name"), tag);
    }

    /// Clients older than the header send the same object as body.
    private static Credentials credentials(Request request) {
        Optional<String> header = request.header("X-Registry-Auth");
        if (header.isPresent()) return RegistryAuth.parse(header);
        try {
            return RegistryAuth.of(request.json());
        } catch (InvalidRequest e) {
            throw new InvalidRequest("Bad parameters and missing X-Registry-Auth: " + e.getMessage());
        }
    }

    private Optional<Image> find(ImageReference reference) {
        try {
            return Optional.of(images.resolve(reference.familiar()));
        } catch (DistributionException.NoSuchImage e) {
            return Optional.empty();
        }
    }
}
