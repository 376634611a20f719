package io.balena.engine.daemon.container.config;

import java.util.Map;
import java.util.Set;

/// Which log drivers there are and which options each knows. What the options' values must be is looked at when a container is started,
/// as Docker does.
public final class LogOptions {
    private static final Set<String> JSON_FILE = Set.of("max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag");
    private static final Set<String> LOCAL = Set.of("max-size", "max-file", "compress");
    private static final Set<String> JOURNALD = Set.of("labels", "labels-regex", "env", "env-regex", "tag");
    private static final Set<String> OF_ALL = Set.of("mode", "max-buffer-size");

    private LogOptions() {}

    /// @throws IllegalArgumentException in Docker's words
    public static void check(String driver, Map<String, String> options) {
        if (driver.equals("none")) return;
        checkMode(options);
        switch (driver) {
            case "json-file" -> check(options, JSON_FILE, "json-file log driver");
            case "local" -> check(options, LOCAL, "log driver local");
            case "journald" -> check(options, JOURNALD, "journald log driver");
            default -> throw new IllegalArgumentException("logger: no log driver named '" + driver + "' is registered");
        }
    }

    private static void checkMode(Map<String, String> options) {
        String mode = options.getOrDefault("mode", "");
        if (!Set.of("", "blocking", "non-blocking").contains(mode)) {
            throw new IllegalArgumentException("logger: logging mode not supported: " + mode);
        }
        String buffer = options.get("max-buffer-size");
        if (buffer == null) return;
        if (!mode.equals("non-blocking")) {
            throw new IllegalArgumentException("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
        }
        try {
            ByteSize.parse(buffer);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("error parsing option max-buffer-size: " + e.getMessage());
        }
    }

    private static void check(Map<String, String> options, Set<String> known, String of) {
        for (String option : options.keySet()) {
            if (!known.contains(option) && !OF_ALL.contains(option)) {
                throw new IllegalArgumentException("unknown log opt '" + option + "' for " + of);
            }
        }
    }
}
