package io.balena.engine.daemon.image;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonInclude.Include;
import io.balena.engine.daemon.http.Json;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;

/// A line of the streams that long operations on images answer with.
///
/// @param stream text to print as it is
/// @param progress a bar as text, for clients that draw none themselves
/// @param aux a result for programs
@JsonInclude(Include.NON_NULL)
record JsonMessage(
        String stream,
        String status,
        Map<String, Long> progressDetail,
        String progress,
        Map<String, String> errorDetail,
        String error,
        String id,
        Map<String, Object> aux) {
    private static final int BAR_WIDTH = 50;

    static JsonMessage text(String text) {
        return new JsonMessage(text, null, null, null, null, null, null, null);
    }

    static JsonMessage status(String id, String status) {
        return new JsonMessage(null, status, id.isEmpty() ? null : Map.of(), null, null, null, id.isEmpty() ? null : id, null);
    }

    static JsonMessage advance(String id, String status, long current, long total) {
        Map<String, Long> detail = new java.util.LinkedHashMap<>();
        detail.put("current", current);
        if (total > 0) detail.put("total", total);
        return new JsonMessage(null, status.isEmpty() ? null : status, detail, bar(current, total), null, null,
                id.isEmpty() ? null : id, null);
    }

    static JsonMessage error(String message) {
        return new JsonMessage(null, null, null, null, Map.of("message", message), message, null, null);
    }

    static JsonMessage aux(Map<String, Object> result) {
        return new JsonMessage(null, null, Map.of(), null, null, null, null, result);
    }

    byte[] line() throws IOException {
        byte[] json = Json.line(this);
        byte[] line = java.util.Arrays.copyOf(json, json.length + 1);
        line[json.length - 1] = '\r';
        line[json.length] = '\n';
        return line;
    }

    private static String bar(long current, long total) {
        if (total <= 0 || current > total) return String.format(Locale.ROOT, "%8s", humanSize(current));
        int done = (int) (current * BAR_WIDTH / total);
        return "[" + "=".repeat(done) + ">" + " ".repeat(BAR_WIDTH - done) + "] "
                + String.format(Locale.ROOT, "%8s/%s", humanSize(current), humanSize(total));
    }

    /// Four significant digits and a decimal unit, as Docker shows sizes: `1.234MB`.
    static String humanSize(long bytes) {
        String[] units = {"B", "kB", "MB", "GB", "TB", "PB"};
        double size = bytes;
        int unit = 0;
        while (size >= 1000 && unit < units.length - 1) {
            size /= 1000;
            unit++;
        }
        var rounded = new java.math.BigDecimal(size).round(new java.math.MathContext(4)).stripTrailingZeros();
        return rounded.toPlainString() + units[unit];
    }
}
