package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageLoader;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.ImageSaver;
import io.balena.engine.distribution.Images;
import io.balena.engine.distribution.Progress;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;

/// `docker save` and `docker load`.
public final class ArchiveRoutes {
    private final Images images;
    private final ImageSaver saver;
    private final ImageLoader loader;
    private final ImageEvents events;

    public ArchiveRoutes(Images images, ImageSaver saver, ImageLoader loader, Events events) {
        this.images = images;
        this.saver = saver;
        this.loader = loader;
        this.events = new ImageEvents(events);
    }

    public List<Route> table() {
        return List.of(
                get("/images/get", request -> save(request, request.queries("names"))),
                get("/images/{name...}/get", request -> save(request, List.of(request.path("name")))),
                post("/images/load", this::load));
    }

    private Response save(Request request, List<String> names) {
        Optional<String> platform = request.query("platform");
        return new Response.Stream(200, "application/x-tar", out -> {
            for (Image image : saver.save(names, platform, out)) tell("save", image);
        });
    }

    private Response load(Request request) {
        boolean quiet = request.query("quiet").isEmpty() || request.flag("quiet");
        Optional<String> platform = request.query("platform");
        InputStream archive = request.body();
        return new Response.Stream(200, "application/json", out -> MessageStream.run(messages -> {
            for (ImageLoader.Loaded loaded : loader.load(archive, platform, quiet ? new Silence() : messages)) {
                images.find(loaded.id()).ifPresent(image -> tell("load", image));
                report(loaded, messages);
            }
        }, out));
    }

    private void tell(String action, Image image) {
        events.publish(action, image.id().toString(), image.id().toString(), Optional.of(image));
    }

    private static void report(ImageLoader.Loaded loaded, MessageStream messages) {
        if (loaded.names().isEmpty()) messages.say("Loaded image ID: " + loaded.id());
        for (ImageReference name : loaded.names()) {
            Optional.ofNullable(loaded.renamed().get(name)).ifPresent(old -> messages.say(
                    "The image " + name.familiar() + " already exists, renaming the old one with ID " + old + " to empty string"));
            messages.say("Loaded image: " + name.familiar());
        }
    }

    /// What a client hears of the progress that asked not to.
    private static final class Silence implements Progress {
        @Override
        public void status(String id, String status) {}

        @Override
        public void advance(String id, String status, long current, long total) {}
    }
}
