package io.balena.engine.packaging.contract;

import io.balena.engine.packaging.contract.Contract.Judged;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// Which endpoints were asked in which versions, rightly and wrongly.
public final class Coverage {
    /// What a dockerd without a swarm refuses, all of it.
    private static final Set<String> DECLINED = Set.of("swarm", "nodes", "services", "tasks", "secrets", "configs");

    private enum Outcome { SUCCESS, FAILURE }

    private final Contract contract;
    private final List<Integer> minors;
    private final Map<Endpoint, Map<Integer, Set<Outcome>>> seen = new TreeMap<>(Comparator.comparing(Endpoint::path).thenComparing(Endpoint::method));

    /// @param minors of the versions that are to be covered
    /// @param judged answers of ours
    public Coverage(Contract contract, List<Integer> minors, Collection<Judged> judged) {
        this.contract = contract;
        this.minors = minors;
        for (int minor : minors) contract.endpoints(minor).forEach(endpoint -> outcomes(endpoint, minor));
        for (Judged each : judged) outcomes(each.endpoint(), each.minor()).add(each.exchange().status() < 400 ? Outcome.SUCCESS : Outcome.FAILURE);
    }

    private Set<Outcome> outcomes(Endpoint endpoint, int minor) {
        return seen.computeIfAbsent(endpoint, _ -> new TreeMap<>()).computeIfAbsent(minor, _ -> EnumSet.noneOf(Outcome.class));
    }

    /// `GET /info: failure`, for what was not seen in one of the versions that have the endpoint.
    public Set<String> gaps() {
        Set<String> gaps = new TreeSet<>();
        for (int minor : minors) {
            for (Endpoint endpoint : contract.endpoints(minor)) {
                for (Outcome wanted : wanted(endpoint)) {
                    if (!outcomes(endpoint, minor).contains(wanted)) gaps.add(endpoint + ": " + wanted.name().toLowerCase());
                }
            }
        }
        return gaps;
    }

    private static Set<Outcome> wanted(Endpoint endpoint) {
        String root = endpoint.path().split("/")[1];
        boolean plugin = root.equals("plugins") && !endpoint.path().equals("/plugins");
        return DECLINED.contains(root) || plugin ? EnumSet.of(Outcome.FAILURE) : EnumSet.allOf(Outcome.class);
    }

    /// A line for each endpoint, a column for each version: `+` was answered, `-` was refused.
    public String table() {
        return "%-50s%s%n".formatted("", minors.stream().map(minor -> "%-6s".formatted("1." + minor)).collect(Collectors.joining()))
                + seen.entrySet().stream().map(each -> "%-50s%s%n".formatted(each.getKey(), minors.stream()
                        .map(minor -> "%-6s".formatted(signs(each.getValue().getOrDefault(minor, Set.of())))).collect(Collectors.joining())))
                .collect(Collectors.joining());
    }

    private static String signs(Set<Outcome> outcomes) {
        return (outcomes.contains(Outcome.SUCCESS) ? "+" : ".") + (outcomes.contains(Outcome.FAILURE) ? "-" : ".");
    }
}
