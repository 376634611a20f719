package io.balena.engine.daemon.volume;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.TreeMap;

/// What a user said of a volume when it was made. Clients see the difference between nothing said and an empty object.
///
/// @param labels `null` when none were given
/// @param options of the driver: `type`, `o`, `device`; `null` when none were given
public record Description(Map<String, String> labels, Map<String, String> options) {
    public static final Description NONE = new Description(null, null);

    /// As in `metadata.db`.
    static Description read(JsonNode json) {
        return new Description(texts(json.path("Labels")), texts(json.path("Options")));
    }

    /// As in `metadata.db`.
    ObjectNode toJson(String volume) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("Name", volume).put("Driver", Volume.DRIVER);
        json.set("Labels", json(labels));
        json.set("Options", json(options));
        return json;
    }

    boolean saysNothing() {
        return (labels == null || labels.isEmpty()) && (options == null || options.isEmpty());
    }

    boolean hasLabel(String wanted) {
        if (labels == null) return false;
        int equals = wanted.indexOf('=');
        if (equals < 0) return labels.containsKey(wanted);
        return wanted.substring(equals + 1).equals(labels.get(wanted.substring(0, equals)));
    }

    /// @return `null` when `json` is no object
    public static Map<String, String> texts(JsonNode json) {
        if (!json.isObject()) return null;
        // In order of the names, as Go writes maps.
        Map<String, String> texts = new TreeMap<>();
        for (var entry : json.properties()) texts.put(entry.getKey(), entry.getValue().asText());
        return texts;
    }

    static JsonNode json(Map<String, String> texts) {
        if (texts == null) return JsonNodeFactory.instance.nullNode();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        texts.forEach(json::put);
        return json;
    }
}
