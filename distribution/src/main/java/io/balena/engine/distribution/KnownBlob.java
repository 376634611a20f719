package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;

/// A blob that a layer is known to be in some repository as.
///
/// @param repository with its registry, e.g. `docker.io/library/busybox`; empty when that was not noted
/// @param hmac by which [LoginMark] finds out whose login put it there; empty for what was pulled
record KnownBlob(Digest digest, String repository, String hmac) {}
