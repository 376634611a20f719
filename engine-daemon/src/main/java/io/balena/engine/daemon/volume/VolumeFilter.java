package io.balena.engine.daemon.volume;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// Picks volumes by the `filters` of a request.
final class VolumeFilter {
    private static final Map<String, Boolean> BOOLEANS = Map.of("true", true, "1", true, "false", false, "0", false);
    /// Names that only the engine gives.
    private static final Pattern ANONYMOUS = Pattern.compile("[0-9a-f]{64}");
    /// By this label later engines know a volume that nobody named.
    private static final String ANONYMOUS_LABEL = "com.docker.volume.anonymous";

    private final Volumes volumes;

    VolumeFilter(Volumes volumes) {
        this.volumes = volumes;
    }

    List<Volume> listed(Filters filters) {
        allow(filters, Set.of("dangling", "name", "driver", "label"));
        Optional<Boolean> dangling = bool(filters, "dangling");
        return volumes.all().stream()
                .filter(volume -> dangling.isEmpty() || dangling.get() == isUnused(volume))
                .filter(volume -> !filters.has("name") || filters.get("name").stream().anyMatch(name -> matches(name, volume.name())))
                .filter(volume -> !filters.has("driver") || filters.get("driver").contains(Volume.DRIVER))
                .filter(volume -> filters.get("label").stream().allMatch(volume.description()::hasLabel))
                .toList();
    }

    /// Unused volumes whose files are the engine's own; from API 1.42 on only those that nobody named, unless `all` is asked for.
    List<Volume> prunable(Filters filters, ApiVersion version) {
        boolean choosy = version.atLeast(1, 42);
        allow(filters, choosy ? Set.of("label", "label!", "all") : Set.of("label", "label!"));
        boolean all = !choosy || bool(filters, "all").orElse(false);
        return volumes.all().stream()
                .filter(volume -> isUnused(volume) && volume.mount().isEmpty())
                .filter(volume -> all || ANONYMOUS.matcher(volume.name()).matches() || volume.description().hasLabel(ANONYMOUS_LABEL))
                .filter(volume -> filters.get("label").stream().allMatch(volume.description()::hasLabel))
                .filter(volume -> filters.get("label!").stream().noneMatch(volume.description()::hasLabel))
                .toList();
    }

    private boolean isUnused(Volume volume) {
        return volumes.containersOf(volume.name()).isEmpty();
    }

    private static void allow(Filters filters, Set<String> known) {
        for (String key : filters.values().keySet()) if (!known.contains(key)) throw new InvalidRequest("Invalid filter '" + key + "'");
    }

    private static Optional<Boolean> bool(Filters filters, String key) {
        if (!filters.has(key)) return Optional.empty();
        Set<String> values = filters.get(key);
        if (values.size() != 1 || !BOOLEANS.containsKey(values.iterator().next())) {
            throw new InvalidRequest("Invalid filter '" + key + "=[" + String.join(" ", values) + "]'");
        }
        return Optional.of(BOOLEANS.get(values.iterator().next()));
    }

    private static boolean matches(String pattern, String name) {
        try {
            return name.contains(pattern) || Pattern.compile(pattern).matcher(name).find();
        } catch (PatternSyntaxException e) {
            return false;
        }
    }
}
