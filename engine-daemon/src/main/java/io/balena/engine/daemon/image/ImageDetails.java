package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.FieldHistory.until;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.FieldHistory;
import io.balena.engine.daemon.http.Json;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImageReference;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The answer of `GET /images/{name}/json`.
final class ImageDetails {
    private static final String NEVER = "0001-01-01T00:00:00Z";

    private static final FieldHistory HISTORY = FieldHistory.of(
            until(43, "VirtualSize"),
            until(44, "Container"), until(44, "ContainerConfig"),
            // What says nothing about an image, but about the container that it was made of.
            until(49, "Config/Hostname"), until(49, "Config/Domainname"), until(49, "Config/AttachStdin"), until(49, "Config/AttachStdout"),
            until(49, "Config/AttachStderr"), until(49, "Config/Tty"), until(49, "Config/OpenStdin"), until(49, "Config/StdinOnce"),
            until(49, "Config/Image"), until(49, "Config/NetworkDisabled"), until(49, "Config/MacAddress"), until(49, "Config/StopTimeout"));

    private ImageDetails() {}

    /// @param lastTagged RFC 3339; empty when it got its names by a pull or load
    static JsonNode of(ApiVersion version, Image image, List<ImageReference> references, Map<String, String> driverData,
            Optional<String> lastTagged) {
        JsonNode config = image.config();
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("Id", image.id().toString());
        details.put("RepoTags", tags(references));
        details.put("RepoDigests", digests(references));
        details.put("Parent", image.parent().map(ImageId::toString).orElse(""));
        details.put("Comment", comment(config));
        details.put("Created", config.path("created").asText(NEVER));
        details.put("Container", config.path("container").asText(""));
        details.put("ContainerConfig", whole(config.path("container_config")));
        details.put("DockerVersion", config.path("docker_version").asText(""));
        details.put("Author", config.path("author").asText(""));
        details.put("Config", whole(config.path("config")));
        details.put("Architecture", config.path("architecture").asText(""));
        if (!config.path("variant").asText("").isEmpty()) details.put("Variant", config.path("variant").asText());
        details.put("Os", config.path("os").asText(""));
        if (!config.path("os.version").asText("").isEmpty()) details.put("OsVersion", config.path("os.version").asText());
        details.put("Size", image.size());
        details.put("VirtualSize", image.size());
        Map<String, Object> driver = new LinkedHashMap<>();
        driver.put("Data", driverData);
        driver.put("Name", "overlay2");
        details.put("GraphDriver", driver);
        Map<String, Object> rootFs = new LinkedHashMap<>();
        rootFs.put("Type", "layers");
        if (!image.diffIds().isEmpty()) rootFs.put("Layers", image.diffIds().stream().map(Object::toString).toList());
        details.put("RootFS", rootFs);
        details.put("Metadata", Map.of("LastTagTime", lastTagged.orElse(NEVER)));
        JsonNode answer = Json.document(details);
        HISTORY.apply(version, answer);
        return answer;
    }

    static List<String> tags(List<ImageReference> references) {
        return references.stream().filter(reference -> reference.digest().isEmpty()).map(ImageReference::familiar).toList();
    }

    static List<String> digests(List<ImageReference> references) {
        return references.stream().filter(reference -> reference.digest().isPresent()).map(ImageReference::familiar).toList();
    }

    static Optional<Instant> created(Image image) {
        return instant(image.config().path("created"));
    }

    static Optional<Instant> instant(JsonNode time) {
        try {
            return time.isTextual() ? Optional.of(OffsetDateTime.parse(time.textValue()).toInstant()) : Optional.empty();
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    private static String comment(JsonNode config) {
        String comment = config.path("comment").asText("");
        JsonNode history = config.path("history");
        return comment.isEmpty() && !history.isEmpty() ? history.get(history.size() - 1).path("comment").asText("") : comment;
    }

    /// A container configuration with all the fields Docker always shows, also those an image of another tool does not mention:
    /// clients compare them with what they asked for.
    private static ObjectNode whole(JsonNode config) {
        JsonNodeFactory json = JsonNodeFactory.instance;
        ObjectNode whole = json.objectNode();
        for (String text : List.of("Hostname", "Domainname", "User")) whole.put(text, "");
        for (String flag : List.of("AttachStdin", "AttachStdout", "AttachStderr")) whole.put(flag, false);
        keep(whole, config, "ExposedPorts");
        for (String flag : List.of("Tty", "OpenStdin", "StdinOnce")) whole.put(flag, false);
        for (String list : List.of("Env", "Cmd")) whole.putNull(list);
        keep(whole, config, "Healthcheck");
        keep(whole, config, "ArgsEscaped");
        whole.put("Image", "");
        whole.putNull("Volumes");
        whole.put("WorkingDir", "");
        whole.putNull("Entrypoint");
        whole.putNull("OnBuild");
        whole.putNull("Labels");
        if (config.isObject()) whole.setAll((ObjectNode) config);
        return whole;
    }

    // Only there when the image says it, but in its place.
    private static void keep(ObjectNode whole, JsonNode config, String field) {
        if (config.has(field)) whole.set(field, config.get(field));
    }
}
