package io.balena.engine.runtime.spec;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// JSON read field by field, in the types of the specification. What is `null` counts as missing.
///
/// ```
/// in.beginObject();
/// for (String field; (field = in.nextField()) != null; ) {
///     switch (field) {
///         case "path" -> path = in.text();
///         default -> in.skip();
///     }
/// }
/// ```
final class JsonFields implements AutoCloseable {
    private static final JsonFactory JSON =
            JsonFactory.builder().disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION).build();

    private final JsonParser in;

    JsonFields(byte[] json) throws IOException {
        in = JSON.createParser(json);
        in.nextToken();
    }

    /// @param what was to be read
    static ContainerFailure malformed(String what, IOException e) {
        String detail = e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
        return new ContainerFailure(ContainerFailure.Kind.SETUP, "malformed " + what + ": " + detail);
    }

    void beginObject() throws IOException {
        expect(JsonToken.START_OBJECT);
    }

    void beginArray() throws IOException {
        expect(JsonToken.START_ARRAY);
    }

    private void expect(JsonToken token) throws IOException {
        if (in.currentToken() != token) {
            throw new IOException("expected " + token + ", found " + in.currentToken() + " at " + in.getParsingContext().pathAsPointer());
        }
    }

    /// Goes to the value of the next field that is not null; null at the end of the object.
    String nextField() throws IOException {
        for (String field; (field = in.nextFieldName()) != null; ) {
            if (in.nextToken() != JsonToken.VALUE_NULL) return field;
        }
        expect(JsonToken.END_OBJECT);
        return null;
    }

    boolean nextElement() throws IOException {
        return in.nextToken() != JsonToken.END_ARRAY;
    }

    /// Passes over a value nobody asks for.
    void skip() throws IOException {
        in.skipChildren();
    }

    String text() throws IOException {
        expect(JsonToken.VALUE_STRING);
        return in.getText();
    }

    boolean flag() throws IOException {
        return in.getBooleanValue();
    }

    /// The specification's `int`.
    int integer() throws IOException {
        return in.getIntValue();
    }

    /// The specification's `int64`.
    long signed() throws IOException {
        return in.getLongValue();
    }

    /// The specification's `int64` or `uint64`; what exceeds a long becomes negative.
    long number() throws IOException {
        if (in.getNumberType() == JsonParser.NumberType.BIG_INTEGER) return in.getBigIntegerValue().longValue();
        return in.getLongValue();
    }

    /// The specification's `uint32`.
    int unsignedInt() throws IOException {
        return (int) in.getLongValue();
    }

    List<String> texts() throws IOException {
        List<String> list = new ArrayList<>();
        for (beginArray(); nextElement(); ) list.add(text());
        return list;
    }

    Map<String, String> textMap() throws IOException {
        Map<String, String> map = new HashMap<>();
        beginObject();
        for (String field; (field = nextField()) != null; ) map.put(field, text());
        return map;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
