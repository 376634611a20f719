package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.Timestamps;
import io.balena.engine.daemon.event.Event;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.event.Subscription;
import io.balena.engine.daemon.http.Json;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// `GET /events`: what happens, as it happens.
public final class EventRoutes {
    private final Events events;
    private final Clock clock;

    public EventRoutes(Events events) {
        this(events, Clock.systemUTC());
    }

    EventRoutes(Events events, Clock clock) {
        this.events = events;
        this.clock = clock;
    }

    public List<Route> table() {
        return List.of(get("/events", this::events));
    }

    private Response events(Request request) {
        Optional<Instant> since = request.query("since").map(text -> Timestamps.parse(text, clock.instant()));
        Optional<Instant> until = request.query("until").map(text -> Timestamps.parse(text, clock.instant()));
        if (since.isPresent() && until.isPresent() && since.get().isAfter(until.get())) {
            throw new InvalidRequest("`since` time (" + request.query("since").get() + ") cannot be after `until` time ("
                    + request.query("until").get() + ")");
        }
        var filter = new EventFilter(request.filters());
        // With an end but no beginning, what is remembered comes too, as from dockerd.
        Optional<Instant> from = since.isPresent() ? since : until.map(_ -> Instant.EPOCH);
        return new Response.Stream(200, "application/json", out -> {
            try (Subscription subscription = events.subscribe(from, filter)) {
                out.flush();
                tell(subscription, until, out);
            }
        });
    }

    private void tell(Subscription subscription, Optional<Instant> until, OutputStream out) throws IOException {
        try {
            while (true) {
                Optional<Duration> patience = until.map(end -> Duration.between(clock.instant(), end));
                Optional<Event> next = subscription.next(patience);
                if (next.isEmpty() || until.isPresent() && next.get().at().isAfter(until.get())) return;
                out.write(Json.line(EventMessage.of(next.get())));
                out.flush();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
    }
}
