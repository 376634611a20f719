package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Applies Dockerfile instructions to the `config` object of an image, as `docker import --change` and `docker commit --change` do.
///
/// @see <a href="https://docs.docker.com/reference/dockerfile/">Dockerfile reference</a>
public final class ConfigChanges {
    private static final Pattern INSTRUCTION = Pattern.compile("(\\S+)\\s*(.*)", Pattern.DOTALL);
    private static final Pattern PORT = Pattern.compile("(?:.*:)?(\\d+)(?:-(\\d+))?(?:/(.+))?");
    private static final int LAST_PORT = 65535;

    private final ObjectNode config;
    private boolean commandSet;

    /// @param config what the changes are made to
    public ConfigChanges(ObjectNode config) {
        this.config = config;
    }

    /// @param changes each one or more lines of instructions
    /// @throws DistributionException.InvalidRequest with Docker's words
    public void apply(List<String> changes) {
        for (String change : changes) {
            List<String> lines = instructions(change);
            if (lines.isEmpty()) throw invalid("file with no instructions");
            lines.forEach(this::applyOne);
        }
    }

    /// Lines joined at a trailing backslash, without comments and blank ones.
    private static List<String> instructions(String text) {
        List<String> instructions = new ArrayList<>();
        StringBuilder open = new StringBuilder();
        for (String line : text.lines().toList()) {
            if (line.isBlank() || line.strip().startsWith("#")) continue;
            String stripped = line.stripTrailing();
            if (stripped.endsWith("\\")) {
                open.append(stripped, 0, stripped.length() - 1);
                continue;
            }
            instructions.add(open.append(line).toString().strip());
            open.setLength(0);
        }
        if (!open.isEmpty()) instructions.add(open.toString().strip());
        return instructions;
    }

    private void applyOne(String instruction) {
        Matcher match = INSTRUCTION.matcher(instruction);
        if (!match.matches()) throw invalid("file with no instructions");
        String name = match.group(1).toUpperCase(Locale.ROOT);
        if (name.equals("HEALTHCHECK")) {
            config.set("Healthcheck", HealthcheckInstruction.parse(match.group(2).strip()));
            return;
        }
        String arguments = withoutFlags(match.group(2).strip());
        switch (name) {
            case "CMD" -> {
                setArray("Cmd", command(arguments, true));
                commandSet = true;
            }
            case "ENTRYPOINT" -> entrypoint(arguments);
            case "ENV" -> env(arguments);
            case "EXPOSE" -> expose(arguments);
            case "LABEL" -> label(arguments);
            case "ONBUILD" -> onBuild(arguments);
            case "STOPSIGNAL" -> config.put("StopSignal", stopSignal(single(name, arguments)));
            case "USER" -> config.put("User", words().expand(single(name, arguments)));
            case "VOLUME" -> volume(arguments);
            case "WORKDIR" -> workdir(words().expand(single(name, arguments)));
            default -> throw invalid(name.toLowerCase(Locale.ROOT) + " is not a valid change command");
        }
    }

    private static String withoutFlags(String arguments) {
        if (!arguments.startsWith("--") || arguments.equals("--")) return arguments;
        String flag = arguments.split("\\s", 2)[0].substring(2);
        throw invalid("Unknown flag: " + flag.split("=", 2)[0]);
    }

    private void entrypoint(String arguments) {
        List<String> entrypoint = command(arguments, !arguments.isEmpty());
        if (entrypoint.isEmpty()) config.putNull("Entrypoint");
        else setArray("Entrypoint", entrypoint);
        // A new entrypoint does not get the arguments that were meant for another.
        if (!commandSet) config.putNull("Cmd");
    }

    private void env(String arguments) {
        // All values of one instruction see the variables from before it.
        ShellWords words = words();
        Map<String, String> changed = new TreeMap<>();
        List<String[]> pairs = pairs("ENV", arguments);
        List<String> env = new ArrayList<>(strings(config.path("Env")));
        for (String[] pair : pairs) {
            String name = words.expand(pair[0]);
            if (name.isEmpty()) throw invalid("ENV names can not be blank");
            changed.put(name, name + "=" + words.expand(pair[1]));
            env.replaceAll(old -> old.startsWith(name + "=") ? changed.get(name) : old);
            if (!env.contains(changed.get(name))) env.add(changed.get(name));
        }
        setArray("Env", env);
    }

    private void label(String arguments) {
        Map<String, String> labels = new TreeMap<>();
        config.path("Labels").properties().forEach(label -> labels.put(label.getKey(), label.getValue().asText()));
        ShellWords words = words();
        for (String[] pair : pairs("LABEL", arguments)) {
            String name = words.expand(pair[0]);
            if (name.isEmpty()) throw invalid("LABEL names can not be blank");
            labels.put(name, words.expand(pair[1]));
        }
        ObjectNode node = config.putObject("Labels");
        labels.forEach(node::put);
    }

    private void expose(String arguments) {
        List<String> given = atLeastOne("EXPOSE", arguments);
        TreeSet<String> ports = new TreeSet<>();
        config.path("ExposedPorts").fieldNames().forEachRemaining(ports::add);
        for (String word : given) ports.addAll(portsOf(words().expand(word)));
        ObjectNode node = config.putObject("ExposedPorts");
        ports.forEach(node::putObject);
    }

    private static List<String> portsOf(String text) {
        Matcher match = PORT.matcher(text);
        if (!match.matches()) throw invalid("Invalid containerPort: " + text);
        int first = port(match.group(1), text);
        int last = match.group(2) == null ? first : port(match.group(2), text);
        if (last < first) throw invalid("Invalid containerPort: " + text);
        String protocol = Optional.ofNullable(match.group(3)).orElse("tcp").toLowerCase(Locale.ROOT);
        if (!List.of("tcp", "udp", "sctp").contains(protocol)) throw invalid("Invalid proto: " + protocol);
        List<String> ports = new ArrayList<>();
        for (int port = first; port <= last; port++) ports.add(port + "/" + protocol);
        return ports;
    }

    private static int port(String digits, String text) {
        if (digits.length() > 5 || Integer.parseInt(digits) > LAST_PORT) throw invalid("Invalid containerPort: " + text);
        return Integer.parseInt(digits);
    }

    private void volume(String arguments) {
        List<String> given = jsonStrings(arguments).orElseGet(() -> atLeastOne("VOLUME", arguments));
        if (given.isEmpty()) throw invalid("VOLUME requires at least one argument");
        TreeSet<String> volumes = new TreeSet<>();
        config.path("Volumes").fieldNames().forEachRemaining(volumes::add);
        for (String word : given) {
            String path = words().expand(word).strip();
            if (path.isEmpty()) throw invalid("VOLUME specified can not be an empty string");
            volumes.add(path);
        }
        ObjectNode node = config.putObject("Volumes");
        volumes.forEach(node::putObject);
    }

    private void workdir(String path) {
        if (path.isEmpty()) throw invalid("cannot normalize nothing");
        try {
            config.put("WorkingDir", Path.of("/", config.path("WorkingDir").asText("")).resolve(path).normalize().toString());
        } catch (InvalidPathException e) {
            throw invalid("cannot normalize " + ShellWords.quoted(path) + ": " + e.getReason());
        }
    }

    private void onBuild(String arguments) {
        if (arguments.isEmpty()) throw invalid("ONBUILD requires at least one argument");
        String trigger = arguments.split("\\s", 2)[0].toUpperCase(Locale.ROOT);
        if (trigger.equals("ONBUILD")) throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
        if (trigger.equals("FROM") || trigger.equals("MAINTAINER")) throw invalid(trigger + " isn't allowed as an ONBUILD trigger");
        List<String> triggers = new ArrayList<>(strings(config.path("OnBuild")));
        triggers.add(arguments);
        setArray("OnBuild", triggers);
    }

    private String stopSignal(String signal) {
        String expanded = words().expand(signal);
        if (!expanded.matches("[0-9]{1,2}|(SIG)?[A-Z][A-Z0-9+-]*")) throw invalid("Invalid signal: " + expanded);
        return expanded;
    }

    /// `["a","b"]` is taken as it is; anything else is a line for the shell.
    private List<String> command(String arguments, boolean shell) {
        return jsonStrings(arguments).orElseGet(() -> {
            if (!shell) return List.of();
            return arguments.isEmpty() ? List.of("/bin/sh", "-c") : List.of("/bin/sh", "-c", arguments);
        });
    }

    /// `a=1 "b c"=2` as pairs, or the old form `a all the rest`. Quotes are still in place.
    private List<String[]> pairs(String instruction, String arguments) {
        List<String> words = split(arguments);
        if (words.isEmpty()) throw invalid(instruction + " requires at least one argument");
        if (!words.getFirst().contains("=")) {
            String[] old = arguments.split("\\s+", 2);
            if (old.length < 2) throw invalid(instruction + " must have two arguments");
            return List.<String[]>of(old);
        }
        List<String[]> pairs = new ArrayList<>();
        for (String word : words) {
            if (!word.contains("=")) {
                throw invalid("Syntax error - can't find = in " + ShellWords.quoted(word) + ". Must be of the form: name=value");
            }
            pairs.add(word.split("=", 2));
        }
        return pairs;
    }

    /// Words parted by blanks that are neither quoted nor escaped.
    private static List<String> split(String text) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        char quote = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quote == 0 && Character.isWhitespace(c)) {
                if (!word.isEmpty()) words.add(word.toString());
                word.setLength(0);
                continue;
            }
            word.append(c);
            if (c == '\\' && quote != '\'' && i + 1 < text.length()) word.append(text.charAt(++i));
            else if (quote == c) quote = 0;
            else if (quote == 0 && (c == '"' || c == '\'')) quote = c;
        }
        if (!word.isEmpty()) words.add(word.toString());
        return words;
    }

    private static List<String> atLeastOne(String instruction, String arguments) {
        if (arguments.isEmpty()) throw invalid(instruction + " requires at least one argument");
        return List.of(arguments.split("\\s+"));
    }

    private static String single(String instruction, String arguments) {
        if (arguments.isEmpty()) throw invalid(instruction + " requires exactly one argument");
        return arguments;
    }

    static Optional<List<String>> jsonStrings(String text) {
        if (!text.startsWith("[")) return Optional.empty();
        try {
            JsonNode node = Json.MAPPER.readTree(text);
            if (!node.isArray()) return Optional.empty();
            for (JsonNode element : node) {
                if (!element.isTextual()) return Optional.empty();
            }
            return Optional.of(strings(node));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private ShellWords words() {
        Map<String, String> variables = new HashMap<>();
        for (String variable : strings(config.path("Env"))) {
            String[] pair = variable.split("=", 2);
            variables.put(pair[0], pair.length == 2 ? pair[1] : "");
        }
        return new ShellWords(variables::get);
    }

    private void setArray(String field, List<String> values) {
        ArrayNode array = config.putArray(field);
        values.forEach(array::add);
    }

    private static List<String> strings(JsonNode array) {
        List<String> strings = new ArrayList<>();
        array.forEach(element -> strings.add(element.asText()));
        return strings;
    }

    private static DistributionException.InvalidRequest invalid(String message) {
        return new DistributionException.InvalidRequest(message);
    }
}
