package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.config.ContainerConfig;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// The log options `labels`, `labels-regex`, `env` and `env-regex`: labels and variables that every entry shall bear.
final class LogAttributes {
    private LogAttributes() {}

    /// @param name what a label or variable is called in the log
    /// @throws IllegalArgumentException in Docker's words
    static Map<String, String> of(ContainerConfig config, Map<String, String> options, UnaryOperator<String> name) {
        Map<String, String> attributes = new TreeMap<>();
        select(config.labels(), options, "labels", name, attributes);
        select(environment(config), options, "env", name, attributes);
        return attributes;
    }

    private static void select(Map<String, String> from, Map<String, String> options, String option, UnaryOperator<String> name,
            Map<String, String> into) {
        for (String each : options.getOrDefault(option, "").split(",")) {
            if (from.containsKey(each)) into.put(name.apply(each), from.get(each));
        }
        String regex = options.getOrDefault(option + "-regex", "");
        if (regex.isEmpty()) return;
        Pattern pattern = pattern(regex);
        from.forEach((key, value) -> {
            if (pattern.matcher(key).find()) into.put(name.apply(key), value);
        });
    }

    private static Pattern pattern(String regex) {
        try {
            return Pattern.compile(regex);
        } catch (PatternSyntaxException e) {
            String what = switch (e.getDescription()) {
                case "Unclosed group" -> "missing closing )";
                case "Unclosed character class" -> "missing closing ]";
                default -> e.getDescription().toLowerCase(Locale.ROOT);
            };
            throw new IllegalArgumentException("error parsing regexp: " + what + ": `" + regex + "`");
        }
    }

    private static Map<String, String> environment(ContainerConfig config) {
        Map<String, String> variables = new HashMap<>();
        for (String entry : config.environment()) {
            int sign = entry.indexOf('=');
            if (sign > 0) variables.put(entry.substring(0, sign), entry.substring(sign + 1));
        }
        return variables;
    }

    /// A field of the journal: capitals, digits and `_`, which is not the first.
    static String fieldName(String name) {
        return name.toUpperCase(Locale.ROOT).replaceAll("[^A-Z0-9]", "_").replaceFirst("^_+", "");
    }
}
