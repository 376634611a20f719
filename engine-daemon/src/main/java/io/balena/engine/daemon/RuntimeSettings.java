package io.balena.engine.daemon;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.container.Runtimes;
import io.balena.engine.runtime.RuntimeCommand;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Other OCI runtimes, as `--add-runtime` and the key `runtimes` of daemon.json name them.
final class RuntimeSettings {
    private RuntimeSettings() {}

    /// `name=path`
    ///
    /// @throws IllegalArgumentException with dockerd's words
    static Map.Entry<String, RuntimeCommand> parse(String flag) {
        int equals = flag.indexOf('=');
        String name = equals < 0 ? "" : flag.substring(0, equals).strip().toLowerCase(Locale.ROOT);
        String path = flag.substring(equals + 1).strip();
        if (name.isEmpty() || path.isEmpty()) throw new IllegalArgumentException("invalid runtime argument: " + flag);
        if (name.equals(Runtimes.STOCK)) throw new IllegalArgumentException("runtime name '" + name + "' is reserved");
        return Map.entry(name, new RuntimeCommand(path, List.of()));
    }

    /// `{"name": {"path": "…", "runtimeArgs": ["…"]}}`
    ///
    /// @throws IllegalArgumentException with dockerd's words
    static Map<String, RuntimeCommand> read(JsonNode runtimes) {
        if (!runtimes.isObject()) throw wrongType(runtimes, "Config.runtimes of type map[string]types.Runtime");
        Map<String, RuntimeCommand> commands = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : runtimes.properties()) commands.put(entry.getKey(), command(entry.getValue()));
        if (commands.containsKey(Runtimes.STOCK)) {
            throw new IllegalArgumentException("configuration validation from file failed: runtime name '" + Runtimes.STOCK + "' is reserved");
        }
        return commands;
    }

    private static RuntimeCommand command(JsonNode runtime) {
        if (!runtime.isObject()) throw wrongType(runtime, "Config.runtimes of type types.Runtime");
        JsonNode path = runtime.path("path");
        if (!path.isMissingNode() && !path.isTextual()) throw wrongType(path, "Runtime.runtimes.path of type string");
        JsonNode arguments = runtime.path("runtimeArgs");
        if (!arguments.isMissingNode() && !arguments.isArray()) throw wrongType(arguments, "Runtime.runtimes.runtimeArgs of type []string");
        List<String> texts = new ArrayList<>();
        for (JsonNode argument : arguments) {
            if (!argument.isTextual()) throw wrongType(argument, "Runtime.runtimes.runtimeArgs of type string");
            texts.add(argument.asText());
        }
        return new RuntimeCommand(path.asText(""), texts);
    }

    private static IllegalArgumentException wrongType(JsonNode value, String field) {
        return new IllegalArgumentException("json: cannot unmarshal " + ConfigFile.word(value) + " into Go struct field " + field);
    }

    /// All that were named. The file's win, as with dockerd.
    static Runtimes of(Settings settings) {
        Map<String, RuntimeCommand> all = new LinkedHashMap<>();
        for (String flag : settings.list("add-runtime")) {
            Map.Entry<String, RuntimeCommand> added = parse(flag);
            if (all.put(added.getKey(), added.getValue()) != null) {
                throw new IllegalArgumentException("invalid argument \"" + flag + "\" for \"--add-runtime\" flag: runtime '" + added.getKey()
                        + "' was already defined");
            }
        }
        all.putAll(settings.runtimes());
        return new Runtimes(all);
    }
}
