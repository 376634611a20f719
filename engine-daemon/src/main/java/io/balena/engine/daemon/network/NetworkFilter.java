package io.balena.engine.daemon.network;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.network.NetworkRecord;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/// Picks networks by the `filters` of a request.
final class NetworkFilter {
    private static final Map<String, Boolean> BOOLEANS = Map.of("true", true, "1", true, "false", false, "0", false);
    private static final Pattern SECONDS = Pattern.compile("[0-9]{1,18}(\\.[0-9]*)?");
    private static final Pattern GO_DURATION = Pattern.compile("([0-9]+h)?([0-9]+m)?([0-9]+s)?");

    private final Predicate<NetworkRecord> used;
    private final Clock clock;

    /// @param used whether a container is on it
    NetworkFilter(Predicate<NetworkRecord> used, Clock clock) {
        this.used = used;
        this.clock = clock;
    }

    List<NetworkRecord> listed(Collection<NetworkRecord> all, Filters filters) {
        filters.allow(Set.of("dangling", "driver", "id", "label", "name", "scope", "type"));
        for (String type : filters.get("type")) {
            if (!Set.of("custom", "builtin").contains(type)) throw new SystemFailure("invalid filter: 'type'='" + type + "'", null);
        }
        Optional<Boolean> dangling = dangling(filters);
        return all.stream()
                .filter(each -> any(filters, "driver", each.driver()::equals))
                .filter(each -> any(filters, "name", name -> each.name().contains(name)))
                .filter(each -> any(filters, "id", id -> each.id().startsWith(id)))
                .filter(each -> any(filters, "scope", "local"::equals))
                .filter(each -> any(filters, "type", type -> type.equals("builtin") == each.predefined()))
                .filter(each -> filters.get("label").stream().allMatch(label -> hasLabel(each, label)))
                .filter(each -> dangling.isEmpty() || !each.predefined() && dangling.get() != used.test(each))
                .toList();
    }

    List<NetworkRecord> prunable(Collection<NetworkRecord> all, Filters filters) {
        filters.allow(Set.of("label", "label!", "until"));
        Instant until = until(filters);
        return all.stream().filter(each -> !each.predefined() && !each.configOnly() && !used.test(each))
                .filter(each -> !Instant.parse(each.created()).isAfter(until))
                .filter(each -> filters.get("label").stream().allMatch(label -> hasLabel(each, label)))
                .filter(each -> filters.get("label!").stream().noneMatch(label -> hasLabel(each, label)))
                .toList();
    }

    private static boolean any(Filters filters, String key, Predicate<String> matches) {
        return !filters.has(key) || filters.get(key).isEmpty() || filters.get(key).stream().anyMatch(matches);
    }

    private static Optional<Boolean> dangling(Filters filters) {
        if (!filters.has("dangling")) return Optional.empty();
        Set<String> values = filters.get("dangling");
        if (values.size() > 1) throw new InvalidRequest("got more than one value for filter key \"dangling\"");
        return values.stream().findFirst().map(value -> Optional.ofNullable(BOOLEANS.get(value)).orElseThrow(() -> new InvalidRequest(
                "invalid value for filter 'dangling', must be \"true\" (or \"1\"), or \"false\" (or \"0\")")));
    }

    private static boolean hasLabel(NetworkRecord network, String wanted) {
        int equals = wanted.indexOf('=');
        if (equals < 0) return network.labels().containsKey(wanted);
        return wanted.substring(equals + 1).equals(network.labels().get(wanted.substring(0, equals)));
    }

    /// A time in seconds, in RFC 3339, or how long ago.
    private Instant until(Filters filters) {
        Set<String> values = filters.get("until");
        if (values.isEmpty()) return Instant.MAX;
        if (values.size() > 1) throw new InvalidRequest("more than one until filter specified");
        String value = values.iterator().next();
        try {
            if (SECONDS.matcher(value).matches()) return Instant.ofEpochSecond(Long.parseLong(value.split("\\.")[0]));
            if (!value.isEmpty() && GO_DURATION.matcher(value).matches()) return clock.instant().minus(Duration.parse("PT" + value));
            return Instant.parse(value.endsWith("Z") || value.matches(".*[+-][0-9]{2}:[0-9]{2}") ? value : value + "Z");
        } catch (RuntimeException e) {
            throw new InvalidRequest("failed to parse value as time or duration: \"" + value + "\"");
        }
    }
}
