package io.balena.engine.cli;

import java.math.BigDecimal;
import java.math.MathContext;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;

/// Sizes and durations as Docker's users read and write them.
final class Units {
    private static final String[] DECIMAL = {"B", "kB", "MB", "GB", "TB", "PB"};
    private static final Map<String, Integer> BINARY = Map.of("", 0, "b", 0, "k", 10, "m", 20, "g", 30, "t", 40, "p", 50);

    private Units() {}

    /// @param digits how many significant digits; Docker shows 3 in tables and 4 in progress
    static String size(long bytes, int digits) {
        double value = bytes;
        int unit = 0;
        while (value >= 1000 && unit < DECIMAL.length - 1) {
            value /= 1000;
            unit++;
        }
        var rounded = new BigDecimal(value).round(new MathContext(digits)).stripTrailingZeros();
        return rounded.toPlainString() + DECIMAL[unit];
    }

    /// `About an hour`, `3 weeks`: the nearest unit a person would use.
    static String duration(Duration duration) {
        long seconds = duration.toSeconds();
        if (seconds < 1) return "Less than a second";
        if (seconds == 1) return "1 second";
        if (seconds < 60) return seconds + " seconds";
        long minutes = duration.toMinutes();
        if (minutes == 1) return "About a minute";
        if (minutes < 60) return minutes + " minutes";
        long hours = Math.round(seconds / 3600.0);
        if (hours == 1) return "About an hour";
        if (hours < 48) return hours + " hours";
        if (hours < 24 * 7 * 2) return hours / 24 + " days";
        if (hours < 24 * 30 * 2) return hours / 24 / 7 + " weeks";
        if (hours < 24 * 365 * 2) return hours / 24 / 30 + " months";
        return seconds / 3600 / 24 / 365 + " years";
    }

    /// Reads `512m`, `1.5g`, `4096`: powers of 1024, as memory is given.
    ///
    /// @return bytes
    /// @throws IllegalArgumentException in Docker's words
    static long memory(String text) {
        var lower = text.toLowerCase(Locale.ROOT).strip();
        int end = 0;
        while (end < lower.length() && (Character.isDigit(lower.charAt(end)) || lower.charAt(end) == '.')) end++;
        var suffix = lower.substring(end).strip();
        if (suffix.length() > 1) suffix = suffix.replaceFirst("i?b$", "");
        var shift = BINARY.get(suffix);
        if (end == 0 || shift == null) throw new IllegalArgumentException("invalid size: '" + text + "'");
        return new BigDecimal(lower.substring(0, end)).multiply(BigDecimal.valueOf(1L << shift)).longValue();
    }
}
