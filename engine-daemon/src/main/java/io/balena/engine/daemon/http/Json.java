package io.balena.engine.daemon.http;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.io.IOException;
import java.util.stream.Collectors;

/// JSON as Docker's clients write and read it: unknown fields are ignored, names match in any case, types must fit.
public final class Json {
    private static final ObjectMapper MAPPER = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .withCoercionConfig(LogicalType.Textual, textual -> textual
                    .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                    .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                    .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail))
            .build();

    private Json() {}

    /// One line of JSON, ended by a newline as Docker's encoder does.
    public static byte[] line(Object value) throws IOException {
        byte[] json = MAPPER.writeValueAsBytes(value);
        byte[] line = java.util.Arrays.copyOf(json, json.length + 1);
        line[json.length] = '\n';
        return line;
    }

    /// @throws InvalidRequest when `json` is not JSON or does not fit `type`
    static <T> T read(byte[] json, Class<T> type) {
        // A parser of our own, because a closed one no longer knows what it stumbled over.
        try (JsonParser parser = MAPPER.createParser(json)) {
            try {
                T value = MAPPER.readValue(parser, type);
                if (value == null) throw new InvalidRequest("invalid JSON: null is not an object");
                return value;
            } catch (IOException e) {
                throw new InvalidRequest("invalid JSON: " + explain(e));
            }
        } catch (IOException e) {
            throw new InvalidRequest("invalid JSON: " + explain(e));
        }
    }

    /// The same as a document that can be changed.
    public static JsonNode document(Object value) {
        return MAPPER.valueToTree(value);
    }

    /// A JSON value within a query parameter or header.
    ///
    /// @throws InvalidRequest when `json` is not JSON
    public static JsonNode tree(String json) {
        try {
            JsonNode value = MAPPER.readTree(json);
            if (value.isMissingNode()) throw new InvalidRequest("invalid JSON: unexpected end of JSON input");
            return value;
        } catch (IOException e) {
            throw new InvalidRequest("invalid JSON: " + explain(e));
        }
    }

    private static String explain(IOException e) {
        return switch (e) {
            case JsonEOFException _ -> "unexpected EOF";
            case MismatchedInputException mismatch -> "cannot unmarshal " + found(mismatch) + " into field " + field(mismatch)
                    + (mismatch.getTargetType() == null ? "" : " of type " + type(mismatch.getTargetType()));
            case JsonMappingException mapping when mapping.getCause() != null -> String.valueOf(mapping.getCause().getMessage());
            case JsonProcessingException parse -> parse.getOriginalMessage();
            default -> String.valueOf(e.getMessage());
        };
    }

    private static String field(JsonMappingException e) {
        return e.getPath().stream()
                .map(step -> step.getFieldName() != null ? step.getFieldName() : Integer.toString(step.getIndex()))
                .collect(Collectors.joining("."));
    }

    private static String found(MismatchedInputException e) {
        if (!(e.getProcessor() instanceof JsonParser parser) || parser.currentToken() == null) return "value";
        return switch (parser.currentToken()) {
            case START_OBJECT, FIELD_NAME, END_OBJECT -> "object";
            case START_ARRAY, END_ARRAY -> "array";
            case VALUE_STRING -> "string";
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "number";
            case VALUE_TRUE, VALUE_FALSE -> "bool";
            default -> "value";
        };
    }

    // Docker names Go's types; clients show them to people, who know string, int and bool better than java.util.List.
    private static String type(Class<?> type) {
        if (type == int.class || type == Integer.class) return "int";
        if (type == long.class || type == Long.class) return "int64";
        if (type == boolean.class || type == Boolean.class) return "bool";
        if (type == String.class) return "string";
        if (Iterable.class.isAssignableFrom(type) || type.isArray()) return "array";
        if (java.util.Map.class.isAssignableFrom(type)) return "map";
        return type.getSimpleName();
    }
}
