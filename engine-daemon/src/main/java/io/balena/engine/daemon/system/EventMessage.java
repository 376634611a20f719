package io.balena.engine.daemon.system;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import io.balena.engine.daemon.event.Event;
import java.util.Map;

/// An event as `GET /events` tells it.
///
/// @param status and `id` and `from` are deprecated since 1.22, but clients on devices read nothing else
record EventMessage(
        @JsonInclude(JsonInclude.Include.NON_NULL) String status,
        @JsonInclude(JsonInclude.Include.NON_NULL) String id,
        @JsonInclude(JsonInclude.Include.NON_NULL) String from,
        @JsonProperty("Type") String type,
        @JsonProperty("Action") String action,
        @JsonProperty("Actor") Actor actor,
        String scope,
        long time,
        long timeNano) {

    record Actor(@JsonProperty("ID") String id, @JsonProperty("Attributes") Map<String, String> attributes) {}

    static EventMessage of(Event event) {
        boolean container = event.type().equals("container");
        boolean legacy = container || event.type().equals("image");
        return new EventMessage(
                legacy ? event.action() : null,
                legacy ? event.actorId() : null,
                container ? event.attributes().get("image") : null,
                event.type(),
                event.action(),
                new Actor(event.actorId(), event.attributes()),
                "local",
                event.at().getEpochSecond(),
                event.at().getEpochSecond() * 1_000_000_000 + event.at().getNano());
    }
}
