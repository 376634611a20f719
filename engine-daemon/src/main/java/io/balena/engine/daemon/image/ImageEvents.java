package io.balena.engine.daemon.image;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.distribution.Image;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// Tells what happens to images: their labels and their name go along.
public record ImageEvents(Events events) {
    /// @param actor id of the image, or its name for a pull
    public void publish(String action, String actor, String name, Optional<Image> image) {
        Map<String, String> attributes = new HashMap<>();
        image.map(i -> i.config().path("config").path("Labels")).filter(JsonNode::isObject)
                .ifPresent(labels -> labels.properties().forEach(label -> attributes.put(label.getKey(), label.getValue().asText())));
        attributes.put("name", name);
        events.publish("image", action, actor, attributes);
    }
}
