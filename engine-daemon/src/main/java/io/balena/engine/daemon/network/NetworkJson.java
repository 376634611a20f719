package io.balena.engine.daemon.network;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.Ipam;
import io.balena.engine.network.NetworkRecord;
import io.balena.engine.network.NetworkRequest;
import io.balena.engine.network.Placement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Networks as Docker's API spells them.
final class NetworkJson {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String BODY = "NetworkCreateRequest.";

    private NetworkJson() {}

    /// @throws InvalidRequest when a field has the wrong type
    static NetworkRequest request(JsonNode body) {
        JsonNode ipam = object(body, "IPAM");
        List<Ipam.Config> configs = new ArrayList<>();
        for (JsonNode config : list(ipam, "Config")) {
            configs.add(new Ipam.Config(text(config, "Subnet"), text(config, "IPRange"), text(config, "Gateway"),
                    texts(config, "AuxiliaryAddresses").orElse(Map.of())));
        }
        return new NetworkRequest(text(body, "Name"), text(body, "Driver").isEmpty() ? "bridge" : text(body, "Driver"), flag(body, "EnableIPv6"),
                flag(body, "Internal"), flag(body, "Attachable"), flag(body, "ConfigOnly"), text(object(body, "ConfigFrom"), "Network"),
                text(ipam, "Driver").isEmpty() ? "default" : text(ipam, "Driver"), texts(ipam, "Options").orElse(null), List.copyOf(configs),
                texts(body, "Options").orElse(Map.of()), texts(body, "Labels").orElse(Map.of()));
    }

    private static JsonNode object(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (isAbsent(value)) return JSON.objectNode();
        if (!value.isObject()) throw wrongType(field, "object");
        return value;
    }

    private static JsonNode list(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (isAbsent(value)) return JSON.arrayNode();
        if (!value.isArray()) throw wrongType(field, "[]network.IPAMConfig");
        for (JsonNode each : value) if (!each.isObject()) throw wrongType(field, "network.IPAMConfig");
        return value;
    }

    private static String text(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (!isAbsent(value) && !value.isTextual()) throw wrongType(field, "string");
        return value.asText("");
    }

    private static boolean flag(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (!isAbsent(value) && !value.isBoolean()) throw wrongType(field, "bool");
        return value.asBoolean(false);
    }

    private static Optional<Map<String, String>> texts(JsonNode body, String field) {
        JsonNode value = body.path(field);
        if (isAbsent(value)) return Optional.empty();
        if (!value.isObject()) throw wrongType(field, "map[string]string");
        Map<String, String> texts = new TreeMap<>();
        for (var entry : value.properties()) {
            if (!entry.getValue().isTextual()) throw wrongType(field, "string");
            texts.put(entry.getKey(), entry.getValue().asText());
        }
        return Optional.of(texts);
    }

    private static boolean isAbsent(JsonNode value) {
        return value.isMissingNode() || value.isNull();
    }

    private static InvalidRequest wrongType(String field, String type) {
        return new InvalidRequest("json: cannot unmarshal into Go struct field " + BODY + field + " of type " + type);
    }

    /// @param endpoints of running containers; lists do not name them
    static ObjectNode of(NetworkRecord network, List<Endpoint> endpoints) {
        ObjectNode json = JSON.objectNode();
        json.put("Name", network.name()).put("Id", network.id()).put("Created", network.created()).put("Scope", "local")
                .put("Driver", network.driver()).put("EnableIPv6", network.ipv6());
        json.set("IPAM", ipam(network.ipam()));
        json.put("Internal", network.internal()).put("Attachable", network.attachable()).put("Ingress", false);
        json.putObject("ConfigFrom").put("Network", network.configFrom());
        json.put("ConfigOnly", network.configOnly());
        ObjectNode containers = json.putObject("Containers");
        endpoints.stream().sorted(Comparator.comparing(Endpoint::containerId)).forEach(endpoint -> containers.set(endpoint.containerId(), container(endpoint)));
        putTexts(json.putObject("Options"), network.options());
        putTexts(json.putObject("Labels"), network.labels());
        return json;
    }

    private static ObjectNode ipam(Ipam ipam) {
        ObjectNode json = JSON.objectNode().put("Driver", ipam.driver());
        if (ipam.options() == null) json.putNull("Options");
        else putTexts(json.putObject("Options"), ipam.options());
        ArrayNode configs = json.putArray("Config");
        for (Ipam.Config config : ipam.shown()) {
            ObjectNode each = configs.addObject().put("Subnet", config.subnet());
            if (!config.range().isEmpty()) each.put("IPRange", config.range());
            if (!config.gateway().isEmpty()) each.put("Gateway", config.gateway());
            if (!config.reserved().isEmpty()) putTexts(each.putObject("AuxiliaryAddresses"), config.reserved());
        }
        return json;
    }

    private static ObjectNode container(Endpoint endpoint) {
        return JSON.objectNode().put("Name", endpoint.of().containerName()).put("EndpointID", endpoint.id())
                .put("MacAddress", endpoint.mac().toString())
                .put("IPv4Address", endpoint.ipv4().map(Placement::own).map(Object::toString).orElse(""))
                .put("IPv6Address", endpoint.ipv6().map(Placement::own).map(Object::toString).orElse(""));
    }

    private static void putTexts(ObjectNode json, Map<String, String> texts) {
        new TreeMap<>(texts).forEach(json::put);
    }
}
