package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;

/// Hears how a long operation goes; its calls become the JSON messages that Docker's clients draw as bars.
///
/// Called from several threads, which do the work: it must not block for long. Pulls of the same layer share its download, so a client
/// that reads slowly would hold up the others.
public interface Progress {
    /// A line of its own, e.g. id `latest`, status `Pulling from library/busybox`; `id` may be empty.
    void status(String id, String status);

    /// How far `id` has come.
    ///
    /// @param status e.g. `Extracting`; empty for the id `Total`
    /// @param current bytes done
    /// @param total bytes in all
    void advance(String id, String status, long current, long total);

    /// A tag is in the registry now; told after the line that says so to people.
    ///
    /// @param size bytes of the manifest
    default void pushed(String tag, Digest manifest, int size) {}
}
