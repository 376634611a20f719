package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.system.NetworkRoutes;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.PortBinding;
import java.util.List;

/// What is known of a container's networks: what the user asked for, and while it runs, what it got.
///
/// @param networks name → endpoint settings, as Docker spells them
/// @param ports `80/tcp` → where it is published; `null` when it is only exposed
record NetworkSettings(ObjectNode networks, ObjectNode ports) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    static NetworkSettings none() {
        return new NetworkSettings(JSON.objectNode(), JSON.objectNode());
    }

    /// Of a container that is on `network` and has no address yet.
    ///
    /// @param asked the request's endpoint settings; may be missing
    static NetworkSettings of(String network, JsonNode asked) {
        ObjectNode networks = JSON.objectNode();
        networks.set(network, endpoint(asked, id(network, asked), null));
        return new NetworkSettings(networks, JSON.objectNode());
    }

    NetworkSettings connected(String network, Endpoint endpoint, List<String> exposed) {
        ObjectNode all = networks.deepCopy();
        all.set(network, endpoint(networks.path(network), NetworkRoutes.id(network), endpoint));
        ObjectNode published = JSON.objectNode();
        for (String port : exposed) published.putNull(port);
        for (PortBinding port : endpoint.ports()) {
            String key = port.containerPort() + "/" + port.protocol();
            if (!published.path(key).isArray()) published.putArray(key);
            published.withArray("/" + key.replace("/", "~1")).addObject()
                    .put("HostIp", port.hostAddress().isEmpty() ? "0.0.0.0" : port.hostAddress())
                    .put("HostPort", Integer.toString(port.hostPort()));
        }
        return new NetworkSettings(all, published);
    }

    NetworkSettings disconnected() {
        ObjectNode all = JSON.objectNode();
        for (var entry : networks.properties()) all.set(entry.getKey(), endpoint(entry.getValue(), id(entry.getKey(), entry.getValue()), null));
        return new NetworkSettings(all, JSON.objectNode());
    }

    /// Docker finds a network that a user made by the id in its containers, so that stays as it is.
    private static String id(String network, JsonNode endpoint) {
        boolean predefined = List.of("bridge", "host", "none").contains(network);
        return predefined ? NetworkRoutes.id(network) : endpoint.path("NetworkID").asText("");
    }

    private static ObjectNode endpoint(JsonNode asked, String networkId, Endpoint endpoint) {
        ObjectNode json = JSON.objectNode();
        json.set("IPAMConfig", orNull(asked.path("IPAMConfig")));
        json.set("Links", orNull(asked.path("Links")));
        json.set("Aliases", orNull(asked.path("Aliases")));
        json.put("MacAddress", endpoint == null ? "" : endpoint.macAddress());
        json.set("DriverOpts", orNull(asked.path("DriverOpts")));
        json.put("NetworkID", networkId);
        json.put("EndpointID", endpoint == null ? "" : endpoint.id());
        json.put("Gateway", endpoint == null ? "" : endpoint.gateway());
        json.put("IPAddress", endpoint == null ? "" : endpoint.address());
        json.put("IPPrefixLen", endpoint == null ? 0 : endpoint.prefixLength());
        return json.put("IPv6Gateway", "").put("GlobalIPv6Address", "").put("GlobalIPv6PrefixLen", 0);
    }

    private static JsonNode orNull(JsonNode node) {
        return node.isMissingNode() ? JSON.nullNode() : node;
    }

    /// The bridge's address and such, which Docker shows a second time at the top.
    void copyBridgeTo(ObjectNode top) {
        JsonNode bridge = networks.path("bridge");
        for (String text : List.of("EndpointID", "Gateway")) top.put(text, bridge.path(text).asText(""));
        top.put("GlobalIPv6Address", "").put("GlobalIPv6PrefixLen", 0);
        top.put("IPAddress", bridge.path("IPAddress").asText("")).put("IPPrefixLen", bridge.path("IPPrefixLen").asInt(0));
        top.put("IPv6Gateway", "").put("MacAddress", bridge.path("MacAddress").asText(""));
    }
}
