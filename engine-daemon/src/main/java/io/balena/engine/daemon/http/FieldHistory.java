package io.balena.engine.daemon.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/// When the fields of one kind of answer came, and when they went. A handler writes all that there ever were; what the client's
/// version does not have is taken out here, so that the table says it and nothing else.
public record FieldHistory(List<Field> fields) {
    /// @param path names with slashes between, a star for any: `NetworkSettings/Networks/*/DNSNames`
    /// @param since the first version that has it
    /// @param until the last one
    public record Field(String path, ApiVersion since, ApiVersion until) {}

    public static FieldHistory of(Field... fields) {
        return new FieldHistory(List.of(fields));
    }

    /// A field that came with API version `1.minor`.
    public static Field since(int minor, String path) {
        return new Field(path, new ApiVersion(1, minor), ApiVersion.NEWEST);
    }

    /// A field that API version `1.minor` was the last to have.
    public static Field until(int minor, String path) {
        return new Field(path, ApiVersion.OLDEST, new ApiVersion(1, minor));
    }

    /// Takes out of `answer` what `version` does not have.
    public void apply(ApiVersion version, JsonNode answer) {
        for (Field field : fields) {
            boolean has = version.compareTo(field.since) >= 0 && version.compareTo(field.until) <= 0;
            if (!has) remove(answer, field.path);
        }
    }

    private static void remove(JsonNode node, String path) {
        int slash = path.indexOf('/');
        if (slash < 0) {
            if (node instanceof ObjectNode object) object.remove(path);
            return;
        }
        String first = path.substring(0, slash);
        String rest = path.substring(slash + 1);
        if (first.equals("*")) node.forEach(each -> remove(each, rest));
        else remove(node.path(first), rest);
    }
}
