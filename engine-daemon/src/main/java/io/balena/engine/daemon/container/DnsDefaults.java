package io.balena.engine.daemon.container;

import java.util.List;

/// What the `resolv.conf` of containers holds that do not say otherwise, by the engine's flags. When a list is empty, the host's holds.
public record DnsDefaults(List<String> servers, List<String> options, List<String> search) {}
