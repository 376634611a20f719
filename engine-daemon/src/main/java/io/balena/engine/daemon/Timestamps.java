package io.balena.engine.daemon;

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

/// Points in time as clients of Docker write them: seconds since 1970 with or without a fraction, RFC 3339 with or without a zone, a
/// date, or a span before now (`1h30m`).
public final class Timestamps {
    private static final Pattern SECONDS = Pattern.compile("(\\d{1,15})(?:\\.(\\d{1,9}))?");
    private static final Pattern SPAN_PART = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,9})?)(h|ms|m|s|us|ns)");
    private static final Pattern SPAN = Pattern.compile("(?:" + SPAN_PART + ")+");

    private Timestamps() {}

    /// @throws InvalidRequest for what is none of these
    public static Instant parse(String text, Instant now) {
        try {
            if (SECONDS.matcher(text).matches()) return seconds(text);
            if (SPAN.matcher(text).matches()) return now.minus(span(text));
            if (text.matches(".*T.*(Z|[+-]\\d\\d:\\d\\d)")) return OffsetDateTime.parse(text).toInstant();
            if (text.contains("T")) return LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
            return LocalDate.parse(text).atStartOfDay().toInstant(ZoneOffset.UTC);
        } catch (DateTimeException e) {
            throw new InvalidRequest("strconv.ParseInt: parsing \"" + text + "\": invalid syntax");
        }
    }

    private static Instant seconds(String text) {
        Matcher parts = SECONDS.matcher(text);
        if (!parts.matches()) throw new IllegalArgumentException(text);
        long nanos = parts.group(2) == null ? 0 : Long.parseLong((parts.group(2) + "000000000").substring(0, 9));
        return Instant.ofEpochSecond(Long.parseLong(parts.group(1)), nanos);
    }

    private static Duration span(String text) {
        Duration all = Duration.ZERO;
        for (Matcher part = SPAN_PART.matcher(text); part.find(); ) {
            double unit = switch (part.group(2)) {
                case "h" -> 3600e9;
                case "m" -> 60e9;
                case "s" -> 1e9;
                case "ms" -> 1e6;
                case "us" -> 1e3;
                default -> 1;
            };
            all = all.plusNanos((long) (Double.parseDouble(part.group(1)) * unit));
        }
        return all;
    }
}
