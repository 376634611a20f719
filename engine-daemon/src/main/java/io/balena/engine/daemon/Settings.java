package io.balena.engine.daemon;

import io.balena.engine.runtime.RuntimeCommand;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// What was said about the options, by the command line or by daemon.json. What was not said is absent.
final class Settings {
    private final Map<Option, List<String>> values = new LinkedHashMap<>();
    private final Map<String, RuntimeCommand> runtimes = new LinkedHashMap<>();

    void add(Option option, String value) {
        List<String> given = values.computeIfAbsent(option, _ -> new ArrayList<>());
        if (!option.isMany()) given.clear();
        given.add(value);
    }

    Settings copy() {
        var copy = new Settings();
        values.forEach((option, given) -> copy.values.put(option, new ArrayList<>(given)));
        return copy;
    }

    /// Takes over what `others` say about an option, or that they say nothing.
    void take(Option option, Settings others) {
        if (others.has(option)) values.put(option, new ArrayList<>(others.of(option)));
        else values.remove(option);
    }

    /// Says that a list is empty.
    void addNothing(Option option) {
        values.computeIfAbsent(option, _ -> new ArrayList<>());
    }

    Iterable<Option> options() {
        return values.keySet();
    }

    boolean has(Option option) {
        return values.containsKey(option);
    }

    List<String> of(Option option) {
        return values.getOrDefault(option, List.of());
    }

    /// All of `others` besides these.
    void addAll(Settings others) {
        others.values.forEach(values::putIfAbsent);
        runtimes.putAll(others.runtimes);
    }

    /// The one thing that daemon.json says and no flag can.
    void addRuntimes(Map<String, RuntimeCommand> named) {
        runtimes.putAll(named);
    }

    Map<String, RuntimeCommand> runtimes() {
        return Map.copyOf(runtimes);
    }

    boolean flag(String flag) {
        String value = text(flag);
        return !value.isEmpty() && Option.parseSwitch(value);
    }

    int number(String flag) {
        return Integer.parseInt(text(flag));
    }

    /// What was said, or else what holds when nothing is.
    String text(String flag) {
        Option option = named(flag);
        List<String> given = of(option);
        return given.isEmpty() ? option.absent() : given.getLast();
    }

    Optional<String> optional(String flag) {
        return Optional.of(text(flag)).filter(value -> !value.isEmpty());
    }

    List<String> list(String flag) {
        return List.copyOf(of(named(flag)));
    }

    /// `key=value` pairs.
    Map<String, String> map(String flag) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (String pair : of(named(flag))) {
            int equals = pair.indexOf('=');
            pairs.put(equals < 0 ? pair : pair.substring(0, equals), equals < 0 ? "" : pair.substring(equals + 1));
        }
        return pairs;
    }

    boolean says(String flag) {
        return has(named(flag));
    }

    static Option named(String flag) {
        return Options.byFlag(flag).orElseThrow(() -> new IllegalArgumentException("no option " + flag));
    }
}
