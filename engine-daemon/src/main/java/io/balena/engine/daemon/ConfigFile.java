package io.balena.engine.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.http.Json;
import io.balena.engine.distribution.Proxies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/// daemon.json: the same settings as the flags, under keys of their own.
final class ConfigFile {
    private ConfigFile() {}

    /// The file cannot be used; the message says why, in dockerd's words.
    static final class ConfigException extends Exception {
        private static final long serialVersionUID = 1L;

        ConfigException(Path file, String message) {
            super("unable to configure the Docker daemon with file " + file + ": " + message);
        }
    }

    /// Adds what the file named by `flags` says to what the flags say. Only a file that was asked for must exist.
    static void addTo(Settings flags) throws ConfigException {
        Path file = Path.of(flags.text("config-file"));
        String json;
        try {
            json = Files.readString(file);
        } catch (NoSuchFileException e) {
            if (flags.says("config-file")) throw new ConfigException(file, "open " + file + ": no such file or directory");
            return;
        } catch (IOException e) {
            throw new ConfigException(file, String.valueOf(e.getMessage()));
        }
        JsonNode root;
        try {
            if (json.isBlank()) throw new ConfigException(file, "EOF");
            root = Json.tree(json);
        } catch (EngineException.InvalidRequest e) {
            throw new ConfigException(file, e.getMessage());
        }
        if (!root.isObject()) throw new ConfigException(file, "json: cannot unmarshal " + word(root) + " into an object");
        Settings settings = read(file, root);
        refuseConflicts(file, flags, settings);
        try {
            if (root.hasNonNull("runtimes")) settings.addRuntimes(RuntimeSettings.read(root.get("runtimes")));
        } catch (IllegalArgumentException e) {
            throw new ConfigException(file, e.getMessage());
        }
        flags.addAll(settings);
    }

    private static Settings read(Path file, JsonNode root) throws ConfigException {
        var unknown = new TreeSet<String>();
        var settings = new Settings();
        List<Map.Entry<String, JsonNode>> entries = new ArrayList<>(root.properties());
        // The one object of the file whose members are settings like the others.
        if (root.path("proxies").isObject()) entries.addAll(root.path("proxies").properties());
        for (Map.Entry<String, JsonNode> entry : entries) {
            Optional<Option> option = Options.byKey(entry.getKey());
            if (option.isPresent()) add(file, settings, option.get(), entry.getValue());
            else if (!Options.FILE_ONLY.contains(entry.getKey())) unknown.add(entry.getKey());
        }
        if (!unknown.isEmpty()) {
            throw new ConfigException(file, "the following directives don't match any configuration option: " + String.join(", ", unknown));
        }
        return settings;
    }

    private static void add(Path file, Settings settings, Option option, JsonNode value) throws ConfigException {
        boolean fits = switch (option.kind()) {
            case SWITCH -> value.isBoolean();
            case NUMBER -> value.isInt();
            case TEXT -> value.isTextual();
            case LIST -> value.isArray() || value.isObject();
            case MAP -> value.isObject();
        };
        if (!fits) {
            throw new ConfigException(file, "json: cannot unmarshal " + word(value) + " into field " + option.key() + " of type " + type(option));
        }
        for (String each : values(option, value)) {
            try {
                option.validate(each);
            } catch (IllegalArgumentException e) {
                throw new ConfigException(file, option.key() + ": " + e.getMessage());
            }
            settings.add(option, each);
        }
        if (option.isMany()) settings.addNothing(option);
    }

    private static List<String> values(Option option, JsonNode value) {
        List<String> values = new ArrayList<>();
        if (value.isArray()) value.forEach(element -> values.add(element.isValueNode() ? element.asText() : element.toString()));
        else if (value.isObject()) value.properties().forEach(entry -> values.add(pair(option, entry.getKey(), entry.getValue())));
        else values.add(value.asText());
        return values;
    }

    // Ulimits are objects in the file: {"nofile":{"Name":"nofile","Soft":1024,"Hard":2048}}.
    private static String pair(Option option, String key, JsonNode value) {
        if (option.flag().equals("default-ulimit")) return key + "=" + value.path("Soft").asText() + ":" + value.path("Hard").asText();
        return key + "=" + value.asText();
    }

    private static void refuseConflicts(Path file, Settings flags, Settings settings) throws ConfigException {
        var conflicts = new TreeSet<String>();
        for (Option option : settings.options()) {
            if (!flags.has(option)) continue;
            conflicts.add(option.key() + ": (from flag: " + show(option, flags) + ", from file: " + show(option, settings) + ")");
        }
        if (conflicts.isEmpty()) return;
        throw new ConfigException(file, "the following directives are specified both as a flag and in the configuration file: "
                + String.join(", ", conflicts));
    }

    private static String show(Option option, Settings settings) {
        String values = String.join(" ", settings.of(option));
        if (option.flag().endsWith("-proxy")) values = Proxies.masked(values);
        return option.isMany() ? "[" + values + "]" : values;
    }

    static String word(JsonNode value) {
        return switch (value.getNodeType()) {
            case STRING -> "string";
            case NUMBER -> "number";
            case BOOLEAN -> "bool";
            case ARRAY -> "array";
            case OBJECT -> "object";
            default -> "null";
        };
    }

    private static String type(Option option) {
        return switch (option.kind()) {
            case SWITCH -> "bool";
            case NUMBER -> "int";
            case TEXT -> "string";
            case LIST -> "[]string";
            case MAP -> "map[string]string";
        };
    }
}
