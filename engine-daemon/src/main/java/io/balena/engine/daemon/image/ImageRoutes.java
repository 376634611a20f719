package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.Route.delete;
import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.notYet;
import static io.balena.engine.daemon.http.Route.post;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImagePuller;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import io.balena.engine.distribution.TarDownloads;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Routes under `/images`.
public final class ImageRoutes {
    private static final Pattern TAG = Pattern.compile("\\w[\\w.-]{0,127}");

    private final Images images;
    private final LayerStore layers;
    private final ImageList list;
    private final ImageCreation creation;
    private final ImagePruning pruning;
    private final Images.ImageUsers users;
    private final ImageEvents events;

    /// @param users says which containers keep an image from being removed
    public ImageRoutes(Images images, LayerStore layers, ImagePuller puller, TarDownloads downloads, Images.ImageUsers users, Events events) {
        this.images = images;
        this.layers = layers;
        this.users = users;
        this.list = new ImageList(images, layers, users);
        this.events = new ImageEvents(events);
        this.creation = new ImageCreation(images, puller, downloads, this.events);
        this.pruning = new ImagePruning(images, list, users, this.events);
    }

    public List<Route> table() {
        return List.of(
                get("/images/json", this::list),
                get("/images/{name...}/json", this::inspect),
                get("/images/{name...}/history", this::history),
                post("/images/create", creation::create),
                post("/images/prune", pruning::prune),
                post("/images/{name...}/tag", this::tag),
                delete("/images/{name...}", this::remove),
                notYet("POST", "/build", "building images"));
    }

    private Response list(Request request) {
        boolean shared = request.version().atLeast(1, 42) && request.flag("shared-size");
        return Response.json(list.list(request.version(), request.filters(), request.flag("all"), shared));
    }

    private Response inspect(Request request) throws IOException {
        Image image = images.resolve(request.path("name"));
        Map<String, String> driverData = image.chain().map(layers::driverData).orElse(Map.of());
        return Response.json(
                ImageDetails.of(request.version(), image, images.references(image.id()), driverData, images.lastTagged(image.id())));
    }

    private Response history(Request request) {
        Image image = images.resolve(request.path("name"));
        List<ImageHistory.Made> made = new ArrayList<>();
        int steps = image.config().path("history").size();
        Optional<Image> step = Optional.of(image);
        while (step.isPresent() && made.size() < steps) {
            made.add(new ImageHistory.Made(step.get().id(), ImageDetails.tags(images.references(step.get().id()))));
            step = step.get().parent().flatMap(images::find);
        }
        return Response.json(ImageHistory.of(image, list.layersOf(image), made));
    }

    private Response tag(Request request) throws IOException {
        ImageReference name = reference(request.query("repo").orElse(""), request.query("tag"));
        if (name.digest().isPresent()) throw new InvalidRequest("refusing to create a tag with a digest reference");
        Image image = images.resolve(request.path("name"));
        images.tag(image.id(), name.withDefaultTag());
        events.publish("tag", image.id().toString(), name.withDefaultTag().familiar(), Optional.of(image));
        return new Response.Empty(201);
    }

    private Response remove(Request request) throws IOException {
        String name = request.path("name");
        if (name.isBlank()) throw new InvalidRequest("image name cannot be blank");
        Image image = images.resolve(name);
        List<Images.Removal> removals = images.remove(name, request.flag("force"), !request.flag("noprune"), users);
        return Response.json(told(removals, image, events));
    }

    /// Publishes what was removed, and puts it in the words of the API.
    static List<Map<String, String>> told(List<Images.Removal> removals, Image image, ImageEvents events) {
        List<Map<String, String>> words = new ArrayList<>();
        for (Images.Removal removal : removals) {
            switch (removal) {
                case Images.Removal.Untagged(ImageReference reference) -> {
                    words.add(Map.of("Untagged", reference.familiar()));
                    events.publish("untag", image.id().toString(), image.id().toString(), Optional.of(image));
                }
                case Images.Removal.Deleted(Digest digest) -> {
                    words.add(Map.of("Deleted", digest.toString()));
                    boolean isImage = digest.equals(image.id().digest());
                    if (isImage) events.publish("delete", image.id().toString(), image.id().toString(), Optional.of(image));
                }
            }
        }
        return words;
    }

    /// A name as clients give it in two parameters.
    ///
    /// @param tag a tag, or a digest
    public static ImageReference reference(String repository, Optional<String> tag) {
        try {
            String separator = tag.isPresent() && tag.get().contains(":") ? "@" : ":";
            ImageReference bare = ImageReference.parse(repository);
            if (tag.isEmpty()) return bare;
            if (separator.equals(":") && !TAG.matcher(tag.get()).matches()) throw new InvalidRequest("invalid tag format");
            // As dockerd: what the name itself says is replaced.
            return ImageReference.parse(bare.familiarName() + separator + tag.get());
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
    }
}
