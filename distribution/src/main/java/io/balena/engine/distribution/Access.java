package io.balena.engine.distribution;

/// What somebody wants to do with a repository; a token is asked for that much.
///
/// @see <a href="https://distribution.github.io/distribution/spec/auth/scope/">distribution, token scope</a>
enum Access {
    PULL("pull"),
    PUSH("pull,push");

    private final String actions;

    Access(String actions) {
        this.actions = actions;
    }

    /// @param repository its path in the registry
    /// @return a scope: `repository:library/busybox:pull`
    String to(String repository) {
        return "repository:" + repository + ":" + actions;
    }
}
