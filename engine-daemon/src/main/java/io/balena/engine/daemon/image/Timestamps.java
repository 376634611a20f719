package io.balena.engine.daemon.image;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The time of an `until` filter: seconds since the epoch, a date, or how long ago (`1h30m`).
final class Timestamps {
    private static final Pattern PART = Pattern.compile("(\\d+(?:\\.\\d+)?)(h|ms|m|s|us|ns)");

    private Timestamps() {}

    static Instant parse(String text, Instant now) {
        try {
            if (text.matches("\\d+(\\.\\d+)?")) return Instant.ofEpochSecond(Long.parseLong(text.split("\\.")[0]));
            if (text.matches("(\\d+(\\.\\d+)?(h|ms|m|s|us|ns))+")) return now.minus(duration(text));
            if (text.matches(".*T.*(Z|[+-]\\d\\d:\\d\\d)")) return OffsetDateTime.parse(text).toInstant();
            if (text.contains("T")) return LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
            return LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC);
        } catch (DateTimeException | NumberFormatException e) {
            throw new InvalidRequest("invalid value for 'until' filter: \"" + text + "\"");
        }
    }

    private static Duration duration(String text) {
        double seconds = 0;
        Matcher part = PART.matcher(text);
        while (part.find()) {
            seconds += Double.parseDouble(part.group(1)) * switch (part.group(2)) {
                case "h" -> 3600;
                case "m" -> 60;
                case "s" -> 1;
                case "ms" -> 1e-3;
                case "us" -> 1e-6;
                default -> 1e-9;
            };
        }
        return Duration.ofNanos((long) (seconds * 1e9));
    }
}
