package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Points in time as clients of Docker write them: seconds since 1970 with or without a fraction, RFC 3339, or a span before now (`10m`).
final class Timestamps {
    private static final Pattern SECONDS = Pattern.compile("(\\d{1,15})(?:\\.(\\d{1,9}))?");
    private static final Pattern SPAN = Pattern.compile("(?:(\\d{1,9})h)?(?:(\\d{1,9})m)?(?:(\\d{1,9})s)?");

    private Timestamps() {}

    /// @throws InvalidRequest for what is none of these
    static Instant parse(String text, Instant now) {
        Matcher seconds = SECONDS.matcher(text);
        if (seconds.matches()) {
            String fraction = seconds.group(2) == null ? "" : seconds.group(2);
            long nanos = fraction.isEmpty() ? 0 : Long.parseLong((fraction + "000000000").substring(0, 9));
            return Instant.ofEpochSecond(Long.parseLong(seconds.group(1)), nanos);
        }
        Matcher span = SPAN.matcher(text);
        if (!text.isEmpty() && span.matches()) {
            return now.minus(Duration.ofHours(number(span.group(1))).plusMinutes(number(span.group(2))).plusSeconds(number(span.group(3))));
        }
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            throw new InvalidRequest("strconv.ParseInt: parsing \"" + text + "\": invalid syntax");
        }
    }

    private static long number(String digits) {
        return digits == null ? 0 : Long.parseLong(digits);
    }
}
