package io.balena.engine.daemon.event;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EventsTest {
    private final Events events = new Events();

    private void publish(String action) {
        events.publish("container", action, "0123", Map.of("name", "web"));
    }

    @Test
    void whoeverListensHearsWhatHappensInOrder() throws InterruptedException {
        try (var subscription = events.subscribe(Optional.empty(), _ -> true)) {
            publish("create");
            publish("start");
            assertEquals("create", subscription.next(Optional.empty()).orElseThrow().action());
            assertEquals("start", subscription.next(Optional.empty()).orElseThrow().action());
            assertTrue(subscription.next(Optional.of(Duration.ZERO)).isEmpty());
        }
        assertEquals(0, events.subscribers());
    }

    @Test
    void theLastEventsAreRemembered() throws InterruptedException {
        for (int i = 0; i < 300; i++) publish("exec " + i);
        try (var subscription = events.subscribe(Optional.of(Instant.EPOCH), _ -> true)) {
            assertEquals("exec 44", subscription.next(Optional.empty()).orElseThrow().action());
        }
    }

    @Test
    void aListenerThatLagsTooFarBehindIsDroppedAndCostsNothingMore() throws InterruptedException {
        var subscription = events.subscribe(Optional.empty(), _ -> true);
        for (int i = 0; i < 2000; i++) publish("exec");
        assertEquals(0, events.subscribers());
        for (int i = 0; i < Subscription.CAPACITY; i++) subscription.next(Optional.empty());
        assertThrows(Subscription.LaggardException.class, () -> subscription.next(Optional.empty()));
    }

    @Test
    void aClockSetBackDoesNotReorderEvents() throws InterruptedException {
        var still = new Events(Clock.fixed(Instant.EPOCH, ZoneOffset.UTC));
        try (var subscription = still.subscribe(Optional.empty(), _ -> true)) {
            still.publish("image", "tag", "1", Map.of());
            still.publish("image", "tag", "2", Map.of());
            Instant first = subscription.next(Optional.empty()).orElseThrow().at();
            assertTrue(subscription.next(Optional.empty()).orElseThrow().at().isAfter(first));
        }
    }
}
