package io.balena.engine.distribution;

/// What a client sent along to prove who it is to a registry.
public sealed interface Credentials {
    record Anonymous() implements Credentials {}

    record Password(String username, String password) implements Credentials {
        @Override
        public String toString() {
            return "Password[" + username + "]";
        }
    }

    /// A refresh token that a login returned.
    record IdentityToken(String token) implements Credentials {
        @Override
        public String toString() {
            return "IdentityToken[]";
        }
    }

    /// A bearer token, sent to the registry as it is.
    record RegistryToken(String token) implements Credentials {
        @Override
        public String toString() {
            return "RegistryToken[]";
        }
    }
}
