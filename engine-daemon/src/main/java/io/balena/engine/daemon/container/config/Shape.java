package io.balena.engine.daemon.container.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The fields of one kind of JSON object: names in Docker's order, what each may hold, and what stands for an absent one.
///
/// Clients compare what inspect returns with what they sent, down to `null` against `[]` and the order of fields, so objects are kept
/// as documents and only brought into shape, not turned into something else and back.
final class Shape {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /// What a field may hold, with Go's name for it, which error messages show.
    enum Kind {
        TEXT("string"), INTEGER("int64"), SHORT("uint16"), FLAG("bool"), TEXTS("[]string"), COMMAND("strslice.StrSlice"), TEXT_MAP("map[string]string"),
        SET("map[string]struct {}"), OBJECT("struct"), OBJECTS("[]struct"), INTEGERS("[]int"), DURATION("time.Duration");

        private final String goType;

        Kind(String goType) {
            this.goType = goType;
        }
    }

    /// @param omitZero a value that Go would have when nothing was said is not written
    private record Field(String name, Kind kind, JsonNode absent, boolean omitZero) {}

    private final String goStruct;
    private final Map<String, Field> fields;
    private final Map<String, Field> byLowerCase;

    /// @param goStruct what Docker's messages call the object
    Shape(String goStruct) {
        this(goStruct, new LinkedHashMap<>(), new LinkedHashMap<>());
    }

    private Shape(String goStruct, Map<String, Field> fields, Map<String, Field> byLowerCase) {
        this.goStruct = goStruct;
        this.fields = fields;
        this.byLowerCase = byLowerCase;
    }

    /// The same under another name in messages.
    Shape as(String otherStruct) {
        return new Shape(otherStruct, fields, byLowerCase);
    }

    /// A field that is always written; with Go's zero value when it was not given.
    Shape with(Kind kind, String... names) {
        for (String name : names) add(new Field(name, kind, zero(kind), false));
        return this;
    }

    /// A field that is left out when it was not given or is zero.
    Shape optional(Kind kind, String... names) {
        for (String name : names) add(new Field(name, kind, null, true));
        return this;
    }

    /// A field that is left out when it was not given; its zero says something.
    Shape pointer(Kind kind, String... names) {
        for (String name : names) add(new Field(name, kind, null, false));
        return this;
    }

    /// A field that is always written, with a `null` of its own for "not given".
    Shape nullable(Kind kind, String... names) {
        for (String name : names) add(new Field(name, kind, JSON.nullNode(), false));
        return this;
    }

    private void add(Field field) {
        fields.put(field.name, field);
        byLowerCase.put(field.name.toLowerCase(Locale.ROOT), field);
    }

    /// Brings a client's object into shape. Names are matched without regard to case and unknown ones dropped, as Go does.
    ///
    /// @throws InvalidRequest with Go's words when a field has another type
    ObjectNode read(JsonNode given) {
        ObjectNode found = JSON.objectNode();
        for (var entry : given.properties()) {
            Field field = byLowerCase.get(entry.getKey().toLowerCase(Locale.ROOT));
            if (field != null && !entry.getValue().isNull()) found.set(field.name, checked(field, entry.getValue()));
        }
        return arrange(found, false);
    }

    boolean knowsAnyOf(JsonNode given) {
        return given.properties().stream()
                .anyMatch(entry -> byLowerCase.containsKey(entry.getKey().toLowerCase(Locale.ROOT)) && !entry.getValue().isNull());
    }

    /// Brings an object that was stored by us, moby or balenaEngine into shape, keeping what we do not know.
    ObjectNode load(ObjectNode stored) {
        return arrange(stored, true);
    }

    private ObjectNode arrange(ObjectNode found, boolean keepUnknown) {
        ObjectNode arranged = JSON.objectNode();
        for (Field field : fields.values()) {
            JsonNode value = found.get(field.name);
            if (value == null || value.isNull()) value = field.absent;
            if (value == null || field.omitZero && isZero(value)) continue;
            arranged.set(field.name, value);
        }
        if (keepUnknown) {
            for (var entry : found.properties()) if (!fields.containsKey(entry.getKey())) arranged.set(entry.getKey(), entry.getValue());
        }
        return arranged;
    }

    private JsonNode checked(Field field, JsonNode value) {
        switch (field.kind) {
            case TEXT -> require(value.isTextual(), field, value, field.kind.goType);
            case INTEGER, DURATION -> require(value.isIntegralNumber() && value.canConvertToLong(), field, value, field.kind.goType);
            case SHORT -> {
                require(value.isIntegralNumber(), field, value, field.kind.goType);
                boolean fits = value.canConvertToInt() && value.asInt() >= 0 && value.asInt() <= 0xffff;
                if (!fits) throw mismatch(field, "number " + value, field.kind.goType);
            }
            case FLAG -> require(value.isBoolean(), field, value, field.kind.goType);
            case TEXTS -> requireTexts(field, value);
            case COMMAND -> {
                if (value.isTextual()) return JSON.arrayNode().add(value);
                requireTexts(field, value);
            }
            case TEXT_MAP -> {
                require(value.isObject(), field, value, field.kind.goType);
                for (JsonNode each : value) require(each.isTextual(), field, each, "string");
            }
            case SET -> {
                require(value.isObject(), field, value, field.kind.goType);
                for (JsonNode each : value) require(each.isObject() || each.isNull(), field, each, "struct {}");
            }
            case OBJECT -> require(value.isObject(), field, value, field.kind.goType);
            case OBJECTS -> {
                require(value.isArray(), field, value, field.kind.goType);
                for (JsonNode each : value) require(each.isObject(), field, each, "struct");
            }
            case INTEGERS -> {
                require(value.isArray(), field, value, field.kind.goType);
                for (JsonNode each : value) require(each.isIntegralNumber(), field, each, "int");
            }
        }
        return value;
    }

    private void requireTexts(Field field, JsonNode value) {
        require(value.isArray(), field, value, field.kind == Kind.COMMAND ? "string" : field.kind.goType);
        for (JsonNode each : value) require(each.isTextual(), field, each, "string");
    }

    private void require(boolean right, Field field, JsonNode value, String goType) {
        if (!right) throw mismatch(field, goName(value), goType);
    }

    private InvalidRequest mismatch(Field field, String value, String goType) {
        return new InvalidRequest("json: cannot unmarshal " + value + " into Go struct field " + goStruct + "." + field.name
                + " of type " + goType);
    }

    private static String goName(JsonNode value) {
        return switch (value.getNodeType()) {
            case STRING -> "string";
            case NUMBER -> value.isIntegralNumber() && value.canConvertToLong() ? "number" : "number " + value;
            case BOOLEAN -> "bool";
            case ARRAY -> "array";
            case OBJECT -> "object";
            default -> "null";
        };
    }

    private static JsonNode zero(Kind kind) {
        return switch (kind) {
            case TEXT -> JSON.textNode("");
            case INTEGER, SHORT -> JSON.numberNode(0);
            case FLAG -> JSON.booleanNode(false);
            default -> JSON.nullNode();
        };
    }

    private static boolean isZero(JsonNode value) {
        return value.isNull() || value.isBoolean() && !value.asBoolean() || value.isTextual() && value.asText().isEmpty()
                || value.isContainerNode() && value.isEmpty();
    }

    static List<String> texts(JsonNode array) {
        List<String> all = new ArrayList<>();
        if (array != null) array.forEach(each -> all.add(each.asText()));
        return all;
    }
}
