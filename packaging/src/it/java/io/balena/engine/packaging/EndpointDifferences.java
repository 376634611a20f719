package io.balena.engine.packaging;

import java.util.List;

/// Where our answers differ from dockerd's by intention, or by the nature of the thing.
final class EndpointDifferences {
    static final List<String> EXPLAINED = List.of();

    private EndpointDifferences() {}
}
