package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.config.ByteSize;
import io.balena.engine.runtime.Stdio;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// How a container is logged, put together from its `LogConfig` when it is started.
final class LogSettings {
    private static final int SHORT_ID = 12;
    private static final long LOCAL_BYTES = 20_000_000;
    private static final int LOCAL_FILES = 5;
    private static final int MOST_FILES = 10_000;
    private static final long BUFFER_BYTES = 1_000_000;

    private final ContainerRecord container;
    private final Map<String, String> options;

    private LogSettings(ContainerRecord container) {
        this.container = container;
        this.options = container.host().logOptions();
    }

    /// @param folder the container's
    /// @return empty when nothing is to be logged
    /// @throws IllegalArgumentException in Docker's words, for an option whose value makes no sense
    static Optional<Stdio.Log> of(ContainerRecord container, Path folder) {
        var settings = new LogSettings(container);
        return switch (container.host().logDriver()) {
            case "none" -> Optional.empty();
            case "local" -> Optional.of(settings.local(localFile(folder)));
            case "journald" -> Optional.of(settings.journald(folder));
            default -> Optional.of(settings.jsonFile(jsonFile(folder, container.id())));
        };
    }

    static Path jsonFile(Path folder, ContainerId id) {
        return folder.resolve(id.hex() + "-json.log");
    }

    static Path localFile(Path folder) {
        return folder.resolve("local-logs/container.log");
    }

    /// How many files a log is looked for in; of settings that cannot be, as many as it takes to find what there is.
    static int files(ContainerRecord container) {
        try {
            String fallback = container.host().logDriver().equals("local") ? "" + LOCAL_FILES : "1";
            return Math.clamp(Integer.parseInt(container.host().logOptions().getOrDefault("max-file", fallback)), 1, MOST_FILES);
        } catch (NumberFormatException e) {
            return LOCAL_FILES;
        }
    }

    private Stdio.Log jsonFile(Path file) {
        long bytes = 0;
        if (options.containsKey("max-size")) {
            bytes = ByteSize.parseDecimal(options.get("max-size"));
            if (bytes <= 0) throw new IllegalArgumentException("max-size must be a positive number");
        }
        int files = options.containsKey("max-file") ? integer(options.get("max-file")) : 1;
        if (files < 1) throw new IllegalArgumentException("max-file cannot be less than 1");
        boolean compress = options.containsKey("compress") && flag(options.get("compress"));
        if (compress && (files == 1 || bytes == 0)) {
            throw new IllegalArgumentException("compress cannot be true when max-file is less than 2 or max-size is not set");
        }
        var attributes = LogAttributes.of(container.config(), options, name -> name);
        if (!options.getOrDefault("tag", "").isEmpty()) attributes.put("tag", LogTag.expand(options.get("tag"), container));
        return new Stdio.Log(Stdio.Driver.JSON_FILE, file, bytes, files, compress, bufferBytes(), attributes);
    }

    private Stdio.Log local(Path file) {
        long bytes = LOCAL_BYTES;
        int files = LOCAL_FILES;
        boolean compress = true;
        if (options.containsKey("max-size")) bytes = named("max-size", () -> ByteSize.parseDecimal(options.get("max-size")));
        if (options.containsKey("max-file")) files = named("max-file", () -> integer(options.get("max-file")));
        if (options.containsKey("compress")) {
            try {
                compress = flag(options.get("compress"));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("error reading compress log option: " + e.getMessage());
            }
        }
        if (files < 0) throw new IllegalArgumentException("max file count cannot be less than 0");
        if (compress && files <= 1) throw new IllegalArgumentException("compression cannot be enabled when max file count is 1");
        return new Stdio.Log(Stdio.Driver.LOCAL, file, bytes, Math.max(1, files), compress, bufferBytes(), Map.of());
    }

    private Stdio.Log journald(Path folder) {
        String template = options.getOrDefault("tag", "");
        String id = container.id().hex();
        String tag = template.isEmpty() ? id.substring(0, SHORT_ID) : LogTag.expand(template, container);
        var fields = LogAttributes.of(container.config(), options, LogAttributes::fieldName);
        fields.putAll(Map.of("CONTAINER_ID", id.substring(0, SHORT_ID), "CONTAINER_ID_FULL", id, "CONTAINER_NAME", container.name(),
                "CONTAINER_TAG", tag, "IMAGE_NAME", container.config().image(), "SYSLOG_IDENTIFIER", tag));
        return new Stdio.Log(Stdio.Driver.JOURNALD, folder, 0, 1, false, bufferBytes(), fields);
    }

    private int bufferBytes() {
        if (!options.getOrDefault("mode", "").equals("non-blocking")) return 0;
        String size = options.get("max-buffer-size");
        return (int) Math.clamp(size == null ? BUFFER_BYTES : ByteSize.parse(size), 1, Integer.MAX_VALUE);
    }

    private interface Value<T> {
        T get();
    }

    private <T> T named(String option, Value<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("invalid value for " + option + ": " + options.get(option) + ": " + e.getMessage());
        }
    }

    private static int integer(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("strconv.Atoi: parsing \"" + text + "\": invalid syntax");
        }
    }

    private static boolean flag(String text) {
        return switch (text) {
            case "1", "t", "T", "true", "TRUE", "True" -> true;
            case "0", "f", "F", "false", "FALSE", "False" -> false;
            default -> throw new IllegalArgumentException("strconv.ParseBool: parsing \"" + text + "\": invalid syntax");
        };
    }
}
