package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.PortBinding;
import io.balena.engine.network.Sandbox;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What is known of a container's networks: what the user asked for, and while it runs, what it got.
///
/// @param networks name → endpoint settings, as Docker spells them
/// @param ports `80/tcp` → where it is published; `null` when it is only exposed
record NetworkSettings(ObjectNode networks, ObjectNode ports) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    static NetworkSettings none() {
        return new NetworkSettings(JSON.objectNode(), JSON.objectNode());
    }

    List<String> names() {
        List<String> names = new ArrayList<>();
        networks.fieldNames().forEachRemaining(names::add);
        return names;
    }

    Optional<EndpointSettings> on(String network) {
        return networks.get(network) instanceof ObjectNode settings ? Optional.of(new EndpointSettings(settings)) : Optional.empty();
    }

    NetworkSettings with(String network, EndpointSettings settings) {
        ObjectNode all = networks.deepCopy();
        all.set(network, settings.document());
        return new NetworkSettings(all, ports);
    }

    NetworkSettings without(String network) {
        ObjectNode all = networks.deepCopy();
        all.remove(network);
        return new NetworkSettings(all, ports);
    }

    /// Of a running container.
    ///
    /// @param endpoints all that it has
    NetworkSettings connected(List<Endpoint> endpoints, List<String> exposed) {
        ObjectNode all = networks.deepCopy();
        for (Endpoint endpoint : endpoints) {
            String name = endpoint.of().networkName();
            EndpointSettings before = on(name).orElseGet(() -> EndpointSettings.read(JSON.objectNode()));
            for (String alias : endpoint.of().aliases()) before = before.withAlias(alias);
            all.set(name, before.with(endpoint).document());
        }
        return new NetworkSettings(all, published(endpoints, exposed));
    }

    private static ObjectNode published(List<Endpoint> endpoints, List<String> exposed) {
        ObjectNode published = JSON.objectNode();
        Optional<Endpoint> gateway = Sandbox.gateway(endpoints);
        if (gateway.isEmpty() || gateway.get().of().internal()) return published;
        for (String port : exposed) published.putNull(port);
        for (PortBinding port : gateway.get().ports()) {
            String key = port.containerPort() + "/" + port.protocol();
            if (!published.path(key).isArray()) published.putArray(key);
            published.withArray("/" + key.replace("/", "~1")).addObject()
                    .put("HostIp", port.hostAddress().isEmpty() ? "0.0.0.0" : port.hostAddress())
                    .put("HostPort", Integer.toString(port.hostPort()));
        }
        return published;
    }

    NetworkSettings disconnected() {
        ObjectNode all = JSON.objectNode();
        for (String name : names()) {
            EndpointSettings settings = on(name).orElseThrow();
            all.set(name, settings.on(settings.networkId()).document());
        }
        return new NetworkSettings(all, JSON.objectNode());
    }

    /// The bridge's address and such, which Docker shows a second time at the top.
    void copyBridgeTo(ObjectNode top) {
        JsonNode bridge = networks.path("bridge");
        for (String text : List.of("EndpointID", "Gateway", "GlobalIPv6Address")) top.put(text, bridge.path(text).asText(""));
        top.put("GlobalIPv6PrefixLen", bridge.path("GlobalIPv6PrefixLen").asInt(0));
        top.put("IPAddress", bridge.path("IPAddress").asText("")).put("IPPrefixLen", bridge.path("IPPrefixLen").asInt(0));
        top.put("IPv6Gateway", bridge.path("IPv6Gateway").asText("")).put("MacAddress", bridge.path("MacAddress").asText(""));
    }
}
