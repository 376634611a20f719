package io.balena.engine.distribution;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/// Who may have an image: the mirrors of its registry, then the registry itself.
record Sources(RegistryConfig config, HttpConnections connections) {
    private static final Logger LOG = System.getLogger(Sources.class.getName());

    interface Question<T> {
        /// @param last nobody else can be asked
        T ask(Repository repository, boolean last) throws IOException;
    }

    /// Asks one after the other. Whatever is wrong with a mirror, be it a lie, somebody else is asked; only the registry itself has the
    /// last word.
    <T> T firstAnswer(ImageReference wanted, Credentials credentials, Question<T> question) throws IOException {
        if (wanted.familiarName().equals("scratch")) throw new DistributionException.InvalidRequest("'scratch' is a reserved name");
        for (Endpoint endpoint : config.endpoints().toPullFrom(wanted.domain())) {
            try (Repository repository = Repository.open(wanted, endpoint, Access.PULL, credentials, config, connections)) {
                return question.ask(repository, !endpoint.mirror());
            } catch (RegistryFailure | DistributionException e) {
                if (!endpoint.mirror()) throw e;
                LOG.log(Level.INFO, "Attempting next endpoint for pull after error: " + endpoint + ": " + e.getMessage());
            }
        }
        throw new AssertionError("the registry itself comes last");
    }
}
