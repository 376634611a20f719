package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Base64;
import java.util.List;
import java.util.Set;

import static java.nio.charset.StandardCharsets.UTF_8;

/// A Swagger 2.0 description's schemas as JSON Schema: `x-nullable` becomes a type, and a field that is not described is a fault.
final class SwaggerSchemas {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    /// What says nothing about a value, or says it in formats of Swagger's own.
    private static final Set<String> WORDS = Set.of("description", "example", "examples", "title", "format", "default", "x-go-name", "x-nullable",
            "x-omitempty", "x-go-type", "x-go-type-skip-optional-pointer", "readOnly", "discriminator", "externalDocs");

    private final JsonNode description;

    SwaggerSchemas(JsonNode description) {
        this.description = description;
    }

    /// `definitions`, as they are called there, and `answers`, by [#key].
    ObjectNode converted() {
        ObjectNode root = JSON.objectNode();
        ObjectNode definitions = root.putObject("definitions");
        description.path("definitions").properties()
                .forEach(each -> definitions.set(each.getKey(), schema(each.getValue())));
        ObjectNode answers = root.putObject("answers");
        description.path("paths").properties().forEach(path -> path.getValue().properties().forEach(method -> method.getValue().path("responses")
                .properties().forEach(answer -> {
                    var endpoint = new Endpoint(method.getKey().toUpperCase(java.util.Locale.ROOT), path.getKey());
                    if (answer.getValue().has("schema")) answers.set(key(endpoint, answer.getKey()), schema(answer.getValue().get("schema")));
                })));
        return root;
    }

    /// A name without characters that mean something in pointers.
    static String key(Endpoint endpoint, String status) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString((endpoint + " " + status).getBytes(UTF_8));
    }

    private ObjectNode schema(JsonNode described) {
        JsonNode swagger = described.has("allOf") ? merged(described) : described;
        ObjectNode schema = JSON.objectNode();
        swagger.properties().forEach(rule -> {
            switch (rule.getKey()) {
                case "properties" -> {
                    ObjectNode properties = schema.putObject("properties");
                    rule.getValue().properties().forEach(each -> properties.set(each.getKey(), schema(each.getValue())));
                }
                case "items" -> schema.set("items", schema(rule.getValue()));
                case "additionalProperties" ->
                        schema.set("additionalProperties", rule.getValue().isObject() ? schema(rule.getValue()) : rule.getValue());
                case String word when WORDS.contains(word) -> {}
                default -> schema.set(rule.getKey(), rule.getValue());
            }
        });
        if (schema.has("properties") && !schema.has("additionalProperties")) schema.put("additionalProperties", false);
        return swagger.path("x-nullable").asBoolean() ? orNull(schema) : schema;
    }

    // A part cannot say which fields there are in all.
    private JsonNode merged(JsonNode described) {
        ObjectNode whole = described.deepCopy();
        for (JsonNode each : whole.remove("allOf")) {
            JsonNode part = each;
            if (each.has("$ref")) part = description.at(each.get("$ref").asText().substring(1));
            if (part.has("allOf")) part = merged(part);
            part.properties().forEach(rule -> {
                if (rule.getKey().equals("properties")) whole.withObjectProperty("properties").setAll((ObjectNode) rule.getValue().deepCopy());
                else if (!whole.has(rule.getKey()) && !rule.getKey().equals("x-nullable")) whole.set(rule.getKey(), rule.getValue());
            });
        }
        return whole;
    }

    private static ObjectNode orNull(ObjectNode schema) {
        // One type or another is said of in fewer words when neither is found.
        if (schema.path("type").isTextual()) {
            String type = schema.get("type").asText();
            schema.putArray("type").add(type).add("null");
            return schema;
        }
        ObjectNode either = JSON.objectNode();
        either.putArray("anyOf").addAll(List.of(schema, JSON.objectNode().put("type", "null")));
        return either;
    }
}
