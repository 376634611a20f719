package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/// A document with the kind of each value in its place: which fields there are, and whether they are null, empty or of what type.
final class Kinds {
    private Kinds() {}

    static JsonNode of(JsonNode json) {
        if (json instanceof ObjectNode && !json.isEmpty()) {
            ObjectNode kinds = JsonNodeFactory.instance.objectNode();
            json.properties().forEach(field -> kinds.set(field.getKey(), of(field.getValue())));
            return kinds;
        }
        if (json instanceof ArrayNode && !json.isEmpty()) {
            // The first stands for all: how many there are is often a matter of the machine.
            return JsonNodeFactory.instance.arrayNode().add(of(json.get(0)));
        }
        return JsonNodeFactory.instance.textNode(json.isContainerNode() ? json.toString() : json.getNodeType().toString());
    }
}
