package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.PathType;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.yaml.snakeyaml.LoaderOptions;

/// What one version's `engine-v*.yaml` says of the answers.
final class ApiDescription {
    /// The whole description and all schemas in it, in three megabytes of one file.
    private static final int LONGEST = 8 * 1024 * 1024;

    private static final SchemaValidatorsConfig POINTERS = SchemaValidatorsConfig.builder().pathType(PathType.JSON_POINTER).build();

    static final String NOT_DESCRIBED = "not described";

    /// @param pointer to the value that is wrong
    record Fault(String pointer, String rule) {}

    private final String version;
    private final Map<Endpoint, Map<Integer, Supplier<JsonSchema>>> answers = new TreeMap<>(Comparator.comparing(Endpoint::toString));
    private final JsonSchema error;

    private ApiDescription(String version, JsonNode document) {
        this.version = version;
        ObjectNode root = new SwaggerSchemas(document).converted();
        String location = "https://engine/" + version;
        var factory = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V201909,
                builder -> builder.schemaLoaders(loaders -> loaders.schemas(Map.of(location, root.toString()))));
        document.path("paths").properties().forEach(path -> path.getValue().properties().forEach(method -> {
            var endpoint = new Endpoint(method.getKey().toUpperCase(java.util.Locale.ROOT), path.getKey());
            Map<Integer, Supplier<JsonSchema>> schemas = new HashMap<>();
            method.getValue().path("responses").properties().forEach(answer -> schemas.put(Integer.valueOf(answer.getKey()),
                    answer.getValue().has("schema")
                            ? once(() -> factory.getSchema(SchemaLocation.of(location + "#/answers/" + SwaggerSchemas.key(endpoint, answer.getKey())), POINTERS))
                            : null));
            answers.put(endpoint, schemas);
        }));
        error = factory.getSchema(SchemaLocation.of(location + "#/definitions/ErrorResponse"), POINTERS);
    }

    /// @param version e.g. `1.41`
    static ApiDescription read(Path folder, String version) throws IOException {
        var options = new LoaderOptions();
        options.setCodePointLimit(LONGEST);
        options.setMaxAliasesForCollections(1000);
        var yaml = new ObjectMapper(YAMLFactory.builder().loaderOptions(options).build());
        return new ApiDescription(version, yaml.readTree(folder.resolve("engine-v" + version + ".yaml").toFile()));
    }

    String version() {
        return version;
    }

    Collection<Endpoint> endpoints() {
        return answers.keySet();
    }

    /// @param path without the version
    Optional<Endpoint> endpoint(String method, String path) {
        return answers.keySet().stream().filter(endpoint -> endpoint.matches(method, path)).min(Comparator.comparing(Endpoint::vagueness));
    }

    /// Where `body` is not as described.
    ///
    /// @param body `null` for none, or one that is no JSON
    List<Fault> faults(Endpoint endpoint, int status, JsonNode body) {
        if (status == 101) return List.of();
        if (status >= 400) return body == null ? List.of() : faults(error, body);
        Map<Integer, Supplier<JsonSchema>> described = answers.get(endpoint);
        if (!described.containsKey(status)) return List.of(new Fault("", "status " + status + " is " + NOT_DESCRIBED));
        Supplier<JsonSchema> schema = described.get(status);
        return schema == null || body == null ? List.of() : faults(schema.get(), body);
    }

    // Most are never needed, and each takes its time to be made.
    private static Supplier<JsonSchema> once(Supplier<JsonSchema> making) {
        var made = new AtomicReference<JsonSchema>();
        return () -> made.updateAndGet(schema -> schema == null ? making.get() : schema);
    }

    private static List<Fault> faults(JsonSchema schema, JsonNode body) {
        return schema.validate(body).stream().map(ApiDescription::fault).toList();
    }

    private static Fault fault(ValidationMessage message) {
        String pointer = message.getInstanceLocation().toString();
        String words = message.getMessage().substring(message.getMessage().indexOf(": ") + 2);
        return switch (message.getType()) {
            case "additionalProperties" -> new Fault(pointer + "/" + message.getProperty(), NOT_DESCRIBED);
            case "enum" -> new Fault(pointer, "not of the enumeration");
            case "type" -> new Fault(pointer, words.startsWith("null found") ? "null" : words);
            default -> new Fault(pointer, words);
        };
    }
}
