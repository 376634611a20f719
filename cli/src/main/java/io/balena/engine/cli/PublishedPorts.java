package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;

import java.util.ArrayList;
import java.util.Comparator;

/// Ports as `ps` lists them: published ones first, `0.0.0.0:8080->80/tcp`, then those only exposed.
final class PublishedPorts {
    private PublishedPorts() {}

    static String line(JsonNode ports) {
        var sorted = new ArrayList<JsonNode>();
        ports.forEach(sorted::add);
        sorted.sort(Comparator.comparingInt((JsonNode p) -> p.path("PrivatePort").asInt())
                .thenComparing(p -> p.path("Type").asText()).thenComparing(p -> p.path("IP").asText()));
        var published = new ArrayList<String>();
        var exposed = new ArrayList<String>();
        for (var port : sorted) {
            var inside = port.path("PrivatePort").asInt() + "/" + port.path("Type").asText();
            if (port.has("PublicPort")) published.add(address(port.path("IP").asText()) + ":" + port.path("PublicPort").asInt() + "->" + inside);
            else exposed.add(inside);
        }
        published.addAll(exposed);
        return String.join(", ", published);
    }

    static String address(String ip) {
        return ip.contains(":") ? "[" + ip + "]" : ip;
    }
}
