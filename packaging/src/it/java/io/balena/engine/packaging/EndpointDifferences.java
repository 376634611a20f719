package io.balena.engine.packaging;

import java.util.List;
import java.util.Set;

/// Where our answers differ from dockerd 20.10's by intention, or by the nature of the thing.
final class EndpointDifferences {
    /// Fields that there may be on one side only: the first of a container's mounts, which dockerd lists in any order, may be a volume.
    /// Ours is a different engine, not written in Go, and without containerd; what it warns of depends on its listeners. Which counters
    /// of block devices there are is up to when a container has last read from one.
    static final List<String> FIELDS = List.of("(/\\d)?/Mounts/0/(Driver|Name)", "/Engine", ".*/?GoVersion",
            "/Runtimes/io.containerd.runtime.v1.linux/path", "/Warnings(/0)?", "/blkio_stats/.*");

    /// Requests that dockerd 20.10 answers with 500, and newer ones with a status that says whose fault it is, as we do.
    static final Set<String> STATUSES = Set.of(
            "400 GET /containers/json?filters={\"exited\":[\"x\"]}",
            "404 GET /containers/json?filters={\"before\":[\"nobody\"]}",
            "400 GET /containers/json?limit=x",
            "400 GET /containers/run/logs?stdout=1&since=x",
            "400 GET /events?since=x",
            "400 GET /events?filters=[",
            "400 POST /auth",
            "400 POST /grpc",
            "400 POST /images/busybox:it/tag?repo=UPPER");

    /// Requests that are refused with the same status in other words.
    static final Set<String> WORDS = Set.of(
            // As newer dockerds: 20.10 says it twice, or does not say which.
            "404 GET /images/nothere:1/json",
            "404 GET /images/nothere:1/get",
            "404 GET /images/get?names=nothere:1",
            "400 POST /images/nothere/push",
            // dockerd would have one.
            "400 POST /session",
            // dockerd asks the registry's version 1 as well.
            "500 GET /images/search?term=127.0.0.1:1/x");

    private EndpointDifferences() {}
}
