package io.balena.engine.daemon.container;

import java.math.BigDecimal;
import java.time.Duration;

/// Spans of time in words, as `docker ps` shows them.
final class Durations {
    private Durations() {}

    /// As Go prints it: `1.5s`, `1m30s`, `500ms`.
    static String asGo(Duration span) {
        long nanos = span.toNanos();
        if (nanos == 0) return "0s";
        if (nanos < 1_000) return nanos + "ns";
        if (nanos < 1_000_000) return fraction(nanos, 1_000) + "µs";
        if (nanos < 1_000_000_000) return fraction(nanos, 1_000_000) + "ms";
        String hours = span.toHours() > 0 ? span.toHours() + "h" : "";
        String minutes = span.toMinutes() > 0 ? span.toMinutesPart() + "m" : "";
        return hours + minutes + fraction(nanos % 60_000_000_000L, 1_000_000_000) + "s";
    }

    private static String fraction(long nanos, long unit) {
        return BigDecimal.valueOf(nanos).divide(BigDecimal.valueOf(unit)).stripTrailingZeros().toPlainString();
    }

    static String inWords(Duration span) {
        long seconds = span.toSeconds();
        long minutes = span.toMinutes();
        long hours = Math.round(span.toMinutes() / 60.0);
        if (seconds < 1) return "Less than a second";
        if (seconds == 1) return "1 second";
        if (seconds < 60) return seconds + " seconds";
        if (minutes == 1) return "About a minute";
        if (minutes < 60) return minutes + " minutes";
        if (hours == 1) return "About an hour";
        if (hours < 48) return hours + " hours";
        if (hours < 24 * 7 * 2) return hours / 24 + " days";
        if (hours < 24 * 30 * 2) return hours / 24 / 7 + " weeks";
        if (hours < 24 * 365 * 2) return hours / 24 / 30 + " months";
        return hours / 24 / 365 + " years";
    }
}
