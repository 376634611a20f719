package io.balena.engine.daemon.container.config;

import static io.balena.engine.daemon.container.config.Shape.Kind.COMMAND;
import static io.balena.engine.daemon.container.config.Shape.Kind.FLAG;
import static io.balena.engine.daemon.container.config.Shape.Kind.INTEGER;
import static io.balena.engine.daemon.container.config.Shape.Kind.OBJECT;
import static io.balena.engine.daemon.container.config.Shape.Kind.SET;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXT;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXTS;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXT_MAP;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.http.ApiVersion;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// The portable part of a container's configuration, Docker's `Config`.
///
/// @param document never changed once it is here; hand out copies to those who might
public record ContainerConfig(ObjectNode document) {
    private static final Shape SHAPE = new Shape("ContainerConfigWrapper")
            .with(TEXT, "Hostname", "Domainname", "User")
            .with(FLAG, "AttachStdin", "AttachStdout", "AttachStderr")
            .optional(SET, "ExposedPorts")
            .with(FLAG, "Tty", "OpenStdin", "StdinOnce")
            .nullable(TEXTS, "Env")
            .nullable(COMMAND, "Cmd")
            .optional(OBJECT, "Healthcheck")
            .optional(FLAG, "ArgsEscaped")
            .with(TEXT, "Image")
            .nullable(SET, "Volumes")
            .with(TEXT, "WorkingDir")
            .nullable(COMMAND, "Entrypoint")
            .optional(FLAG, "NetworkDisabled")
            .optional(TEXT, "MacAddress")
            .nullable(TEXTS, "OnBuild")
            .nullable(TEXT_MAP, "Labels")
            .optional(TEXT, "StopSignal")
            .optional(INTEGER, "StopTimeout")
            .optional(COMMAND, "Shell");

    /// @throws io.balena.engine.daemon.EngineException.InvalidRequest when a field has the wrong type
    public static ContainerConfig read(JsonNode given) {
        return read(given, ApiVersion.NEWEST);
    }

    /// @param version of the API that the client speaks: fields that came later are not heard
    public static ContainerConfig read(JsonNode given, ApiVersion version) {
        ObjectNode document = SHAPE.read(given);
        if (document.has("Healthcheck")) document.set("Healthcheck", HealthCheck.read(document.get("Healthcheck"), version.atLeast(1, 44)));
        return new ContainerConfig(document);
    }

    /// Whether `given` has any field of a configuration.
    public static boolean saysAnything(JsonNode given) {
        return SHAPE.knowsAnyOf(given);
    }

    public static ContainerConfig load(ObjectNode stored) {
        return new ContainerConfig(SHAPE.load(stored));
    }

    /// This configuration with what it leaves open taken from the image's, as Docker merges them.
    public ContainerConfig over(JsonNode image) {
        ObjectNode merged = document.deepCopy();
        for (String text : List.of("User", "WorkingDir", "StopSignal")) {
            String theirs = image.path(text).asText("");
            if (merged.path(text).asText("").isEmpty() && !theirs.isEmpty()) merged.put(text, theirs);
        }
        mergeEnvironment(merged, image.path("Env"));
        boolean noEntrypoint = merged.path("Entrypoint").isEmpty();
        if (noEntrypoint && merged.path("Cmd").isEmpty() && image.path("Cmd").isArray()) merged.set("Cmd", image.get("Cmd").deepCopy());
        if (noEntrypoint && merged.path("Entrypoint").isNull() && image.path("Entrypoint").isArray()) {
            merged.set("Entrypoint", image.get("Entrypoint").deepCopy());
        }
        // The command line sends [""] for `--entrypoint ""`: no entry point, not even the image's.
        JsonNode entrypoint = merged.path("Entrypoint");
        if (entrypoint.size() == 1 && entrypoint.get(0).asText().isEmpty()) merged.putNull("Entrypoint");
        for (String set : List.of("ExposedPorts", "Volumes", "Labels")) mergeKeys(merged, set, image.path(set));
        if (merged.path("Labels").isNull()) merged.putObject("Labels");
        if (merged.path("Volumes").isEmpty()) merged.putNull("Volumes");
        mergeHealthcheck(merged, image.path("Healthcheck"));
        return new ContainerConfig(SHAPE.load(merged));
    }

    private static void mergeEnvironment(ObjectNode merged, JsonNode theirs) {
        if (theirs.isEmpty()) return;
        ArrayNode env = merged.path("Env").isArray() ? (ArrayNode) merged.get("Env") : merged.putArray("Env");
        List<String> own = Shape.texts(env).stream().map(ContainerConfig::variable).toList();
        for (JsonNode each : theirs) if (!own.contains(variable(each.asText()))) env.add(each.asText());
    }

    private static String variable(String entry) {
        int equals = entry.indexOf('=');
        return equals < 0 ? entry : entry.substring(0, equals);
    }

    /// In the order of the keys, as Go writes maps.
    private static void mergeKeys(ObjectNode merged, String field, JsonNode theirs) {
        if (theirs.isEmpty()) return;
        Map<String, JsonNode> all = new TreeMap<>();
        for (JsonNode some : List.of(theirs, merged.path(field))) some.properties().forEach(entry -> all.put(entry.getKey(), entry.getValue()));
        merged.putObject(field).setAll(all);
    }

    private static void mergeHealthcheck(ObjectNode merged, JsonNode theirs) {
        if (!theirs.isObject()) return;
        if (!merged.path("Healthcheck").isObject()) {
            merged.set("Healthcheck", theirs.deepCopy());
            return;
        }
        HealthCheck.merge((ObjectNode) merged.get("Healthcheck"), theirs);
    }

    public ContainerConfig with(String field, String value) {
        ObjectNode changed = document.deepCopy();
        changed.put(field, value);
        return new ContainerConfig(SHAPE.load(changed));
    }

    /// @param environment that its own takes precedence over
    public ContainerConfig withDefaults(List<String> environment) {
        if (environment.isEmpty()) return this;
        ObjectNode changed = document.deepCopy();
        var all = changed.putArray("Env");
        environment.forEach(all::add);
        environment().forEach(all::add);
        return new ContainerConfig(changed);
    }

    public ContainerConfig withEnvironment(String entry) {
        ObjectNode changed = document.deepCopy();
        ArrayNode env = changed.path("Env").isArray() ? (ArrayNode) changed.get("Env") : JsonNodeFactory.instance.arrayNode();
        changed.set("Env", env.add(entry));
        return new ContainerConfig(changed);
    }

    public String image() {
        return text("Image");
    }

    public String hostname() {
        return text("Hostname");
    }

    public String domainname() {
        return text("Domainname");
    }

    /// As given: name or number, perhaps with `:` and a group; empty for the image's, or root.
    public String user() {
        return text("User");
    }

    public String workingDirectory() {
        return text("WorkingDir");
    }

    public boolean tty() {
        return flag("Tty");
    }

    public boolean openStdin() {
        return flag("OpenStdin");
    }

    public boolean stdinOnce() {
        return flag("StdinOnce");
    }

    public boolean networkDisabled() {
        return flag("NetworkDisabled");
    }

    public Optional<String> macAddress() {
        return Optional.of(text("MacAddress")).filter(s -> !s.isEmpty());
    }

    public List<String> environment() {
        return Shape.texts(document.get("Env"));
    }

    public List<String> command() {
        return Shape.texts(document.get("Cmd"));
    }

    public List<String> entrypoint() {
        return Shape.texts(document.get("Entrypoint"));
    }

    /// Program and arguments: entry point, then command.
    public List<String> arguments() {
        List<String> all = entrypoint();
        all.addAll(command());
        return all;
    }

    public Map<String, String> labels() {
        return textMap(document.path("Labels"));
    }

    /// Paths that get a volume of their own when nothing else is mounted there.
    public List<String> volumes() {
        return document.path("Volumes").properties().stream().map(Map.Entry::getKey).toList();
    }

    /// As `80/tcp`.
    public List<String> exposedPorts() {
        return document.path("ExposedPorts").properties().stream().map(Map.Entry::getKey).toList();
    }

    /// Name or number of the signal that asks this container to end.
    public String stopSignal() {
        String signal = text("StopSignal");
        return signal.isEmpty() ? "SIGTERM" : signal;
    }

    public boolean hasStopSignal() {
        return !text("StopSignal").isEmpty();
    }

    /// What runs a command that is given as one line, when it is not the usual one.
    public Optional<List<String>> shell() {
        return Optional.of(Shape.texts(document.get("Shell"))).filter(words -> !words.isEmpty());
    }

    /// Seconds between that signal and SIGKILL; -1 to wait for ever.
    public int stopTimeoutSeconds() {
        return document.path("StopTimeout").asInt(10);
    }

    private String text(String field) {
        return document.path(field).asText("");
    }

    private boolean flag(String field) {
        return document.path(field).asBoolean(false);
    }

    static Map<String, String> textMap(JsonNode object) {
        Map<String, String> map = new LinkedHashMap<>();
        for (var entry : object.properties()) map.put(entry.getKey(), entry.getValue().asText());
        return map;
    }
}
