package io.balena.engine.daemon.event;

import java.time.Clock;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/// Carries events from where things happen to those who listen. Publishing never blocks: whoever listens too slowly is dropped.
///
/// Safe for use by many threads.
public final class Events {
    /// How many past events are kept for `since`, as in moby.
    private static final int REMEMBERED = 256;

    private final Clock clock;
    private final ArrayDeque<Event> recent = new ArrayDeque<>();
    private final List<Subscription> subscriptions = new ArrayList<>();
    private Instant last = Instant.MIN;

    public Events() {
        this(Clock.systemUTC());
    }

    Events(Clock clock) {
        this.clock = clock;
    }

    public synchronized void publish(String type, String action, String actorId, Map<String, String> attributes) {
        var event = new Event(type, action, actorId, Collections.unmodifiableMap(new LinkedHashMap<>(attributes)), next());
        if (recent.size() == REMEMBERED) recent.removeFirst();
        recent.addLast(event);
        subscriptions.removeIf(subscription -> !subscription.offer(event));
    }

    /// Listens to events that `wanted` accepts, after those still remembered from `since` on.
    ///
    /// @param since empty for new events only
    public synchronized Subscription subscribe(Optional<Instant> since, Predicate<Event> wanted) {
        List<Event> past = since.map(from -> recent.stream().filter(e -> !e.at().isBefore(from)).filter(wanted).toList())
                .orElse(List.of());
        var subscription = new Subscription(this, past, wanted);
        subscriptions.add(subscription);
        return subscription;
    }

    public synchronized int subscribers() {
        return subscriptions.size();
    }

    synchronized void forget(Subscription subscription) {
        subscriptions.remove(subscription);
    }

    // A clock that is set back (no battery, then NTP) must not reorder events: clients resume from the time of the last one.
    private Instant next() {
        Instant now = clock.instant();
        last = now.isAfter(last) ? now : last.plusNanos(1);
        return last;
    }
}
