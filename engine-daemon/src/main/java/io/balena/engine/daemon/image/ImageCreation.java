package io.balena.engine.daemon.image;

import static java.nio.charset.StandardCharsets.UTF_8;

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
import io.balena.engine.distribution.Progress;
import io.balena.engine.distribution.TarDownloads;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.List;
import java.util.Optional;

/// `POST /images/create`: a pull, or an import.
record ImageCreation(Images images, ImagePuller puller, TarDownloads downloads, ImageEvents events) {
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
        String source = request.query("fromSrc").get();
        Optional<ImageReference> name = request.query("repo").map(repo -> ImageRoutes.reference(repo, request.query("tag")).withDefaultTag());
        request.query("platform").ifPresent(ImageCreation::requireLinux);
        String message = request.query("message").orElse("");
        List<String> changes = request.queries("changes");
        if (source.equals("-")) {
            ImageId id = told(images.importTar(request.body(), name, message, changes), name);
            return new Response.Text(200, JSON, new String(JsonMessage.status("", id.toString()).line(), UTF_8));
        }
        URI address = TarDownloads.address(source);
        return new Response.Stream(200, JSON, out -> MessageStream.run(progress -> {
            try (var download = downloads.open(address)) {
                progress.status("", "Downloading from " + address);
                InputStream tar = new ImportProgress(download.body(), download.size(), progress);
                String comment = message.isEmpty() ? "Imported from " + address : message;
                progress.status("", told(images.importTar(tar, name, comment, changes), name).toString());
            }
        }, out));
    }

    private ImageId told(ImageId id, Optional<ImageReference> name) {
        name.ifPresent(given -> events.publish("tag", id.toString(), given.familiar(), images.find(id)));
        events.publish("import", id.toString(), id.toString(), images.find(id));
        return id;
    }

    /// Docker 20.10 takes no more from it than the operating system.
    private static void requireLinux(String platform) {
        if (!platform.split("/", 2)[0].equalsIgnoreCase("linux")) throw new InvalidRequest("operating system is not supported");
    }

    /// Tells how far an import has come.
    private static final class ImportProgress extends FilterInputStream {
        private final long size;
        private final Progress progress;
        private long read;

        ImportProgress(InputStream in, long size, Progress progress) {
            super(in);
            this.size = size;
            this.progress = progress;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int count = in.read(to, offset, length);
            if (count > 0) progress.advance("", "Importing", read += count, Math.max(size, 0));
            return count;
        }
    }
}
