package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.Placement;
import io.balena.engine.network.address.Ip;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What a container wants of one network, and what it has there: Docker's `EndpointSettings`.
///
/// @param document as it is stored and shown
record EndpointSettings(ObjectNode document) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /// @param asked of a request; may be missing
    /// @throws InvalidRequest in Docker's words for an address that is none
    static EndpointSettings read(JsonNode asked) {
        var settings = new EndpointSettings(document(asked, "", Optional.empty()));
        settings.address("IPv4Address", false, "IPv4");
        settings.address("IPv6Address", true, "IPv6");
        String mac = asked.path("MacAddress").asText("");
        return mac.isEmpty() ? settings : settings.withMac(mac);
    }

    private static ObjectNode document(JsonNode asked, String networkId, Optional<Endpoint> endpoint) {
        ObjectNode json = JSON.objectNode();
        json.set("IPAMConfig", orNull(asked.path("IPAMConfig")));
        json.set("Links", orNull(asked.path("Links")));
        json.set("Aliases", orNull(asked.path("Aliases")));
        json.put("MacAddress", endpoint.map(it -> it.mac().toString()).orElse(""));
        json.set("DriverOpts", orNull(asked.path("DriverOpts")));
        if (asked.path("GwPriority").asInt(0) != 0) json.put("GwPriority", asked.path("GwPriority").asInt());
        json.put("NetworkID", networkId);
        json.put("EndpointID", endpoint.map(Endpoint::id).orElse(""));
        put(json, endpoint.flatMap(Endpoint::ipv4), "Gateway", "IPAddress", "IPPrefixLen");
        put(json, endpoint.flatMap(Endpoint::ipv6), "IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen");
        // What was asked for is not what is there, and must be known at the next start.
        JsonNode mac = asked.path("DesiredMacAddress");
        if (!mac.asText("").isEmpty()) json.set("DesiredMacAddress", mac);
        return json;
    }

    private static void put(ObjectNode json, Optional<Placement> placement, String gateway, String address, String length) {
        json.put(gateway, placement.flatMap(Placement::wayOut).filter(ip -> !ip.isAny()).map(Ip::toString).orElse(""));
        json.put(address, placement.map(it -> it.own().address().toString()).orElse(""));
        json.put(length, placement.map(it -> it.own().prefixLength()).orElse(0));
    }

    private static JsonNode orNull(JsonNode node) {
        return node.isMissingNode() ? JSON.nullNode() : node.deepCopy();
    }

    EndpointSettings on(String networkId) {
        return new EndpointSettings(document(document, networkId, Optional.empty()));
    }

    EndpointSettings with(Endpoint endpoint) {
        return new EndpointSettings(document(document, endpoint.of().networkId(), Optional.of(endpoint)));
    }

    EndpointSettings withAlias(String alias) {
        if (aliases().contains(alias)) return this;
        ObjectNode changed = document.deepCopy();
        (changed.path("Aliases").isArray() ? changed.withArray("/Aliases") : changed.putArray("Aliases")).add(alias);
        return new EndpointSettings(changed);
    }

    EndpointSettings withMac(String mac) {
        return new EndpointSettings(document.deepCopy().put("DesiredMacAddress", mac));
    }

    List<String> aliases() {
        return texts("Aliases");
    }

    /// `container` or `container:alias`.
    List<String> links() {
        return texts("Links");
    }

    private List<String> texts(String field) {
        List<String> texts = new ArrayList<>();
        document.path(field).forEach(text -> texts.add(text.asText()));
        return texts;
    }

    Optional<String> mac() {
        return Optional.of(document.path("DesiredMacAddress").asText("")).filter(mac -> !mac.isEmpty());
    }

    int gatewayPriority() {
        return document.path("GwPriority").asInt(0);
    }

    List<Ip> addresses() {
        List<Ip> all = new ArrayList<>();
        address("IPv4Address", false, "IPv4").ifPresent(all::add);
        address("IPv6Address", true, "IPv6").ifPresent(all::add);
        return all;
    }

    private Optional<Ip> address(String field, boolean v6, String family) {
        String text = document.path("IPAMConfig").path(field).asText("");
        if (text.isEmpty()) return Optional.empty();
        try {
            Ip address = Ip.parse(text);
            if (address.v6() == v6) return Optional.of(address);
        } catch (IllegalArgumentException e) {
            // Said below.
        }
        throw new InvalidRequest("invalid " + family + " address: " + text);
    }

    /// Whether it has none at present: as on the network of the machine, or when it does not run.
    boolean isWithoutAddress() {
        return document.path("IPAddress").asText("").isEmpty() && document.path("GlobalIPv6Address").asText("").isEmpty();
    }

    String networkId() {
        return document.path("NetworkID").asText("");
    }
}
