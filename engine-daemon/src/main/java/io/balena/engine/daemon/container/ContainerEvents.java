package io.balena.engine.daemon.container;

import io.balena.engine.daemon.event.Events;
import java.util.Map;
import java.util.TreeMap;

/// Tells the world what happens to containers, with the attributes Docker gives: labels, image, name, and what the action adds.
final class ContainerEvents {
    private final Events events;

    ContainerEvents(Events events) {
        this.events = events;
    }

    void publish(ContainerRecord container, String action) {
        publish(container, action, Map.of());
    }

    void publish(ContainerRecord container, String action, Map<String, String> more) {
        Map<String, String> attributes = new TreeMap<>(container.config().labels());
        attributes.put("image", container.config().image());
        attributes.put("name", container.name());
        attributes.putAll(more);
        events.publish("container", action, container.id().hex(), attributes);
    }

    void network(ContainerRecord container, String action, String network, String driver, String networkId) {
        events.publish("network", action, networkId, Map.of("container", container.id().hex(), "name", network, "type", driver));
    }
}
