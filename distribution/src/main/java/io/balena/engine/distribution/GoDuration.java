package io.balena.engine.distribution;

import java.math.BigDecimal;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Lengths of time as Go writes them: `1h30m`, `1.5s`, `100ms`.
final class GoDuration {
    private static final Pattern PART = Pattern.compile("(\\d+(?:\\.\\d*)?|\\.\\d+)(ns|us|µs|ms|s|m|h)");

    private GoDuration() {}

    /// @throws DistributionException.InvalidRequest with Go's words
    static long parseNanos(String text) {
        boolean negative = text.startsWith("-");
        String rest = negative || text.startsWith("+") ? text.substring(1) : text;
        if (rest.equals("0")) return 0;
        Matcher part = PART.matcher(rest);
        BigDecimal nanos = BigDecimal.ZERO;
        int end = 0;
        while (part.find() && part.start() == end) {
            nanos = nanos.add(new BigDecimal(part.group(1).endsWith(".") ? part.group(1) + "0" : part.group(1))
                    .multiply(BigDecimal.valueOf(nanosPer(part.group(2)))));
            end = part.end();
        }
        boolean whole = end > 0 && end == rest.length();
        if (!whole || nanos.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw new DistributionException.InvalidRequest("time: invalid duration \"" + text + "\"");
        }
        return negative ? -nanos.longValue() : nanos.longValue();
    }

    /// As Go prints it.
    static String text(java.time.Duration duration) {
        long nanos = duration.toNanos();
        if (nanos == 0) return "0s";
        if (nanos < 1_000) return nanos + "ns";
        if (nanos < 1_000_000) return decimal(nanos, 3) + "µs";
        if (nanos < 1_000_000_000) return decimal(nanos, 6) + "ms";
        long hours = duration.toHours();
        String minutes = hours > 0 ? hours + "h" + duration.toMinutesPart() + "m" : duration.toMinutes() > 0 ? duration.toMinutes() + "m" : "";
        return minutes + decimal(nanos % 60_000_000_000L, 9) + "s";
    }

    private static String decimal(long value, int places) {
        return BigDecimal.valueOf(value, places).stripTrailingZeros().toPlainString();
    }

    private static long nanosPer(String unit) {
        return switch (unit) {
            case "ns" -> 1;
            case "us", "µs" -> 1_000;
            case "ms" -> 1_000_000;
            case "s" -> 1_000_000_000;
            case "m" -> 60_000_000_000L;
            default -> 3_600_000_000_000L;
        };
    }
}
