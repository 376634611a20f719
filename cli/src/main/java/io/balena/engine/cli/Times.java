package io.balena.engine.cli;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeParseException;
import java.util.regex.Pattern;

/// Points in time as users write them, as the seconds that the API wants.
final class Times {
    private static final Pattern AGO = Pattern.compile("(?:(\\d+)h)?(?:(\\d+)m)?(?:(\\d+(?:\\.\\d+)?)s)?");

    private Times() {}

    /// @param text `42m`, `1h30m`, `2026-01-02`, `2026-01-02T03:04:05Z` or seconds since 1970, with fractions
    static String forApi(String text) {
        var ago = AGO.matcher(text);
        if (!text.isEmpty() && ago.matches()) {
            var back = Duration.ofHours(number(ago.group(1))).plusMinutes(number(ago.group(2)))
                    .plusMillis(ago.group(3) == null ? 0 : Math.round(Double.parseDouble(ago.group(3)) * 1000));
            return seconds(Instant.now().minus(back));
        }
        if (text.matches("\\d+(\\.\\d+)?")) return text;
        try {
            if (text.length() <= 10) return seconds(LocalDate.parse(text).atStartOfDay(ZoneId.systemDefault()).toInstant());
            return text.matches(".*(Z|[+-]\\d\\d:\\d\\d)$") ? seconds(OffsetDateTime.parse(text).toInstant())
                    : seconds(LocalDateTime.parse(text).atZone(ZoneId.systemDefault()).toInstant());
        } catch (DateTimeParseException _) {
            throw new CommandFailed(1, "invalid value for time: \"" + text + "\"");
        }
    }

    private static long number(String digits) {
        return digits == null ? 0 : Long.parseLong(digits);
    }

    private static String seconds(Instant instant) {
        return "%d.%09d".formatted(instant.getEpochSecond(), instant.getNano());
    }
}
