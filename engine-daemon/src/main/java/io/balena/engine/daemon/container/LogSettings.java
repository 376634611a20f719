package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ByteSize;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.runtime.Stdio;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// What `LogConfig` asks for.
final class LogSettings {
    private static final Set<String> OPTIONS = Set.of("max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
            "mode", "max-buffer-size");

    private LogSettings() {}

    /// @throws InvalidRequest in Docker's words
    static void validate(HostConfig host) {
        switch (host.logDriver()) {
            case "none" -> {
                return;
            }
            // Until there is a journal and a `local` format, both are kept as json-file.
            case "json-file", "journald", "local" -> {}
            default -> throw new InvalidRequest("logger: no log driver named '" + host.logDriver() + "' is registered");
        }
        if (!host.logDriver().equals("json-file")) return;
        for (String option : host.logOptions().keySet()) {
            if (!OPTIONS.contains(option)) throw new InvalidRequest("unknown log opt '" + option + "' for json-file log driver");
        }
        int files = files(host);
        if (files < 1) throw new InvalidRequest("max-file cannot be less than 1");
        if (files > 1 && bytes(host) == 0) throw new InvalidRequest("max-size is not set for max-file");
    }

    static Optional<Stdio.Log> of(ContainerConfig config, HostConfig host, Path file) {
        if (host.logDriver().equals("none")) return Optional.empty();
        return Optional.of(new Stdio.Log(file, bytes(host), files(host), attributes(config, host)));
    }

    private static long bytes(HostConfig host) {
        String size = host.logOptions().getOrDefault("max-size", "");
        if (size.isEmpty() || size.equals("-1")) return 0;
        try {
            return ByteSize.parse(size);
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    private static int files(HostConfig host) {
        String files = host.logOptions().getOrDefault("max-file", "1");
        try {
            return Integer.parseInt(files);
        } catch (NumberFormatException e) {
            throw new InvalidRequest("strconv.Atoi: parsing \"" + files + "\": invalid syntax");
        }
    }

    private static Map<String, String> attributes(ContainerConfig config, HostConfig host) {
        Map<String, String> attributes = new TreeMap<>();
        for (String label : list(host, "labels")) {
            if (config.labels().containsKey(label)) attributes.put(label, config.labels().get(label));
        }
        for (String variable : list(host, "env")) {
            for (String entry : config.environment()) {
                if (entry.startsWith(variable + "=")) attributes.put(variable, entry.substring(variable.length() + 1));
            }
        }
        return attributes;
    }

    private static String[] list(HostConfig host, String option) {
        String names = host.logOptions().getOrDefault(option, "");
        return names.isEmpty() ? new String[0] : names.split(",");
    }
}
