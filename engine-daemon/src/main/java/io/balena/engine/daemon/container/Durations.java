package io.balena.engine.daemon.container;

import java.time.Duration;

/// Spans of time in words, as `docker ps` shows them.
final class Durations {
    private Durations() {}

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
