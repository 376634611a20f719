package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.Optional;
import java.util.OptionalLong;

/// The blobs of a repository that somebody pushes to. One request per call, as in [Repository].
///
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push">OCI distribution-spec, push</a>
record RemoteBlobs(Repository repository, Cancellation cancellation) {
    /// @return bytes of `blob`; empty when it is not there
    OptionalLong sizeOf(Digest blob) throws IOException {
        try {
            return ask("HEAD", "blobs/" + blob).headers().firstValueAsLong("Content-Length");
        } catch (RegistryFailure e) {
            if (e.status() == 404) return OptionalLong.empty();
            throw e;
        }
    }

    UploadSession begin() throws IOException {
        return new UploadSession(repository, repository.location(ask("POST", "blobs/uploads/")), cancellation);
    }

    /// Asks the registry to take `blob` from another of its repositories.
    ///
    /// @param source path of that repository
    /// @return empty when it did; else the registry waits for the blob
    Optional<UploadSession> mount(Digest blob, String source) throws IOException {
        try (Repository both = repository.takingFrom(source)) {
            RegistryRequest request = RegistryRequest.of(
                    "POST", repository.resource("blobs/uploads/?mount=" + blob + "&from=" + source));
            HttpResponse<?> response = both.ask(request, cancellation);
            if (response.statusCode() == 201) return Optional.empty();
            return Optional.of(new UploadSession(repository, repository.location(response), cancellation));
        }
    }

    private HttpResponse<?> ask(String method, String what) throws IOException {
        return repository.ask(RegistryRequest.of(method, repository.resource(what)), cancellation);
    }
}
