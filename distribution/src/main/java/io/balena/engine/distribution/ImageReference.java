package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.util.Optional;

/// A normalised name of an image in a registry, e.g. `docker.io/library/busybox:latest`.
///
/// @param domain host and optional port of the registry
/// @param path the repository within the registry
/// @param tag at most one of `tag` and `digest` decides what is meant; with both, the digest does
/// @see <a href="https://github.com/distribution/reference">distribution/reference</a>
public record ImageReference(String domain, String path, Optional<String> tag, Optional<Digest> digest) {
    /// Reads a name as users write it: `busybox`, `user/app:1`, `127.0.0.1:5000/app@sha256:…`. No default tag is added.
    ///
    /// @throws IllegalArgumentException with Docker's words when it is malformed
    public static ImageReference parse(String text) {
        throw new UnsupportedOperationException();
    }

    /// This reference with tag `latest` when it has neither tag nor digest.
    public ImageReference withDefaultTag() {
        throw new UnsupportedOperationException();
    }

    /// Repository as users see it: `busybox`, `127.0.0.1:5000/app`.
    public String familiarName() {
        throw new UnsupportedOperationException();
    }

    /// Whole reference as users see it: `busybox:latest`.
    public String familiar() {
        throw new UnsupportedOperationException();
    }
}
