package io.balena.engine.daemon.system;

import io.balena.engine.daemon.event.Event;
import io.balena.engine.daemon.http.Filters;
import java.util.Set;
import java.util.function.Predicate;

/// Which events a client wants to hear: every key of its filters must have a value that fits.
record EventFilter(Filters filters) implements Predicate<Event> {
    private static final Set<String> KEYS = Set.of(
            "container", "daemon", "event", "image", "label", "network", "type", "volume", "scope", "plugin", "node", "service", "secret", "config");

    EventFilter {
        filters.allow(KEYS);
    }

    @Override
    public boolean test(Event event) {
        return action(event)
                && oneOf("type", event.type())
                && oneOf("scope", "local")
                && actor("container", event)
                && actor("daemon", event)
                && actor("network", event)
                && actor("volume", event)
                && actor("plugin", event)
                && actor("node", event)
                && actor("service", event)
                && actor("secret", event)
                && actor("config", event)
                && image(event)
                && filters.get("label").stream().allMatch(label -> label(event, label));
    }

    private boolean oneOf(String key, String value) {
        return !filters.has(key) || filters.get(key).contains(value);
    }

    // "exec_create: sh -c …" and "health_status: healthy" are asked for by their first word.
    private boolean action(Event event) {
        if (!filters.has("event")) return true;
        String action = event.action();
        return filters.get("event").stream().anyMatch(wanted -> action.equals(wanted) || action.startsWith(wanted + ":"));
    }

    private boolean actor(String type, Event event) {
        if (!filters.has(type)) return true;
        if (!event.type().equals(type)) return false;
        String name = event.attributes().getOrDefault("name", "");
        return filters.get(type).stream().anyMatch(wanted -> event.actorId().startsWith(wanted) || name.startsWith(wanted));
    }

    private boolean image(Event event) {
        if (!filters.has("image")) return true;
        String id = event.actorId();
        String name = event.attributes().getOrDefault(event.type().equals("image") ? "name" : "image", "");
        return filters.get("image").stream()
                .anyMatch(wanted -> wanted.equals(id) || wanted.equals(name) || wanted.equals(withoutTag(id)) || wanted.equals(withoutTag(name)));
    }

    private static String withoutTag(String reference) {
        int colon = reference.lastIndexOf(':');
        return colon > reference.lastIndexOf('/') ? reference.substring(0, colon) : reference;
    }

    private static boolean label(Event event, String wanted) {
        int equals = wanted.indexOf('=');
        if (equals < 0) return event.attributes().containsKey(wanted);
        return wanted.substring(equals + 1).equals(event.attributes().get(wanted.substring(0, equals)));
    }
}
