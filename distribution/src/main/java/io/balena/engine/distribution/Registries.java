package io.balena.engine.distribution;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// Asks registries without bringing anything in: whether a login is good, what a name stands for, which repositories there are.
public final class Registries {
    private volatile RegistryConfig config;
    private final HttpConnections connections = new HttpConnections();

    public Registries(RegistryConfig config) {
        this.config = config;
    }

    /// Takes up other registries and mirrors.
    public void reconfigure(RegistryConfig next) {
        config = next;
    }

    /// Logs in, to find out whether the credentials are good.
    ///
    /// @param server as in a client's configuration: `registry.example:5000`, `https://index.docker.io/v1/`; empty for Docker Hub
    /// @return an identity token to use instead of the password from now on, if the registry hands out such
    /// @throws DistributionException.Refused in dockerd's words when they are not
    /// @throws DistributionException.Unavailable when the registry cannot be asked
    public Optional<String> login(String server, Credentials credentials) throws IOException {
        Endpoint endpoint = Login.endpoint(server, config.endpoints());
        return answered(() -> new Login(endpoint, config, connections).attempt(credentials));
    }

    /// What the registry of `name` has under it.
    ///
    /// @throws DistributionException.Refused when it has nothing, or not for us
    public RemoteImage describe(ImageReference name, Credentials credentials) throws IOException {
        ImageReference wanted = name.decisive();
        var sources = new Sources(config, connections);
        return answered(() -> sources.firstAnswer(wanted, credentials, (repository, _) -> RemoteImage.read(wanted, repository)));
    }

    /// Repositories that have to do with `term`.
    ///
    /// @param term what to look for on Docker Hub, or `registry.example/what` for another registry
    /// @param limit from 1 to 100
    public List<FoundRepository> search(String term, int limit, Credentials credentials) throws IOException {
        return answered(() -> Search.of(term, limit).run(credentials, config, connections));
    }

    private interface Question<T> {
        T ask() throws IOException;
    }

    private static <T> T answered(Question<T> question) throws IOException {
        try {
            return question.ask();
        } catch (RegistryFailure e) {
            throw e.forQuestion();
        } catch (IOException e) {
            throw RetryPolicy.givingUp(e);
        }
    }
}
