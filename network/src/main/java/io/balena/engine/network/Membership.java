package io.balena.engine.network;

import java.util.List;
import java.util.stream.Stream;

/// Who is on which network, and under which names.
///
/// @param internal whether the network has no way out: a container's default route avoids it
/// @param containerName without a slash
/// @param aliases further names that others on the network know it by, its 12-character id among them; empty on the default bridge
/// @param links `container:alias`, names that this container alone has for others
/// @param gatewayPriority the default route leads through the network with the highest one, as in Docker's `GwPriority`
public record Membership(String networkId, String networkName, boolean internal, String containerId, String containerName,
        List<String> aliases, List<String> links, int gatewayPriority) {

    /// All names by which others on the network find the container, the first of them for reverse look-ups.
    public List<String> names() {
        return Stream.concat(Stream.of(containerName), aliases.stream()).filter(name -> !name.isEmpty()).distinct().toList();
    }

    Membership renamed(String name) {
        return new Membership(networkId, networkName, internal, containerId, name, aliases, links, gatewayPriority);
    }
}
