package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A blob that a registry is being sent: begun, appended to, and completed by its digest.
final class UploadSession {
    private static final Logger LOG = System.getLogger(UploadSession.class.getName());
    private static final Pattern RANGE = Pattern.compile("(?:bytes=)?0-(\\d{1,18})");

    private final Repository repository;
    private final Cancellation cancellation;
    /// Where to go on; each answer may name another place.
    private URI location;

    UploadSession(Repository repository, URI location, Cancellation cancellation) {
        this.repository = repository;
        this.location = location;
        this.cancellation = cancellation;
    }

    /// Sends what comes next, in one stream.
    void append(RequestBody bytes) throws IOException {
        follow(ask("PATCH", location, Map.of("Content-Type", "application/octet-stream"), bytes));
    }

    /// How many bytes the registry has kept of an upload that broke off.
    ///
    /// @return 0 when it will not go on with it
    /// @throws RegistryFailure when that may be different later
    long received() throws IOException {
        try {
            HttpResponse<?> response = ask("GET", location, Map.of(), BodyPublishers.noBody());
            Matcher range = RANGE.matcher(response.headers().firstValue("Range").orElse(""));
            // `0-0` says one byte or none.
            if (!range.matches() || range.group(1).equals("0")) return 0;
            follow(response);
            return Long.parseLong(range.group(1)) + 1;
        } catch (RegistryFailure e) {
            if (e.passing()) throw e;
            return 0;
        }
    }

    /// Makes a blob of all that was sent.
    void complete(Digest digest) throws IOException {
        String separator = location.getRawQuery() == null ? "?" : "&";
        ask("PUT", URI.create(location + separator + "digest=" + digest), Map.of(), BodyPublishers.noBody());
    }

    /// Tells the registry that nothing more will come. Some know that only after a week.
    void abandon() {
        try {
            ask("DELETE", location, Map.of(), BodyPublishers.noBody());
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "could not abandon an upload", e);
        }
    }

    private HttpResponse<?> ask(String method, URI target, Map<String, String> headers, BodyPublisher body) throws IOException {
        return repository.ask(new RegistryRequest(method, target, headers, () -> body), cancellation);
    }

    private void follow(HttpResponse<?> response) throws IOException {
        if (response.headers().firstValue("Location").isPresent()) location = repository.location(response);
    }
}
