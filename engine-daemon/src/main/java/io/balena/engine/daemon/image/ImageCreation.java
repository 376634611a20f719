package io.balena.engine.daemon.image;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.distribution.Credentials;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImagePuller;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import java.io.IOException;
import java.util.Optional;

/// `POST /images/create`: a pull, or an import.
record ImageCreation(Images images, ImagePuller puller, ImageEvents events) {
    private static final String JSON = "application/json";

    Response create(Request request) throws IOException {
        if (request.query("fromImage").isPresent()) return pull(request);
        if (request.query("fromSrc").isPresent()) return importTar(request);
        throw new InvalidRequest("either fromImage or fromSrc is needed");
    }

    private Response pull(Request request) {
        // Some clients end a name that they want all tags of with a colon.
        String name = request.query("fromImage").get().replaceFirst(":$", "");
        ImageReference reference = ImageRoutes.reference(name, request.query("tag"));
        Optional<String> platform = request.query("platform");
        Credentials credentials = RegistryAuth.parse(request.header("X-Registry-Auth"));
        boolean allTags = reference.tag().isEmpty() && reference.digest().isEmpty();
        return new Response.Stream(200, JSON, out -> MessageStream.run(progress -> {
            if (allTags) puller.pullAllTags(reference, platform, credentials, progress);
            else puller.pull(reference, platform, credentials, progress);
            events.publish("pull", reference.familiar(), reference.familiarName(), image(reference));
        }, out));
    }

    /// Of a name without a tag, dockerd means `latest` when it looks for labels.
    private Optional<Image> image(ImageReference reference) {
        try {
            return Optional.of(images.resolve(reference.withDefaultTag().familiar()));
        } catch (DistributionException.NoSuchImage e) {
            return Optional.empty();
        }
    }

    private Response importTar(Request request) throws IOException {
        if (!request.query("fromSrc").get().equals("-")) {
            throw new InvalidRequest("importing from a URL is not supported by this engine: fetch it and import it from standard input");
        }
        Optional<ImageReference> name = request.query("repo").map(repo -> ImageRoutes.reference(repo, request.query("tag")).withDefaultTag());
        ImageId id = images.importTar(request.body(), name, request.query("message").orElse(""), request.queries("changes"));
        events.publish("import", id.toString(), id.toString(), images.find(id));
        return new Response.Text(200, JSON, new String(JsonMessage.status("", id.toString()).line(), java.nio.charset.StandardCharsets.UTF_8));
    }
}
