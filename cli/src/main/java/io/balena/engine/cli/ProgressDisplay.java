package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;

/// Shows the events of a pull, push, load or import. On a terminal each layer has a line of its own that changes in
/// place; elsewhere only what is final is printed, one line each.
final class ProgressDisplay {
    private final PrintStream out;
    private final boolean inPlace;
    private final int columns;
    /// Which line, counted from the first that changes in place, shows which layer.
    private final Map<String, Integer> lines = new LinkedHashMap<>();

    ProgressDisplay(PrintStream out, boolean terminal) {
        this.out = out;
        this.inPlace = terminal;
        this.columns = terminal ? Terminal.size().columns() : 0;
    }

    /// @throws CommandFailed when the event is an error
    void show(JsonNode event) {
        if (event.has("errorDetail") || event.has("error")) {
            out.flush();
            throw new CommandFailed(1, event.path("errorDetail").path("message").asText(event.path("error").asText()));
        }
        if (event.has("stream")) {
            out.print(event.path("stream").asText());
            out.flush();
            return;
        }
        var id = event.path("id").asText("");
        var progress = event.path("progressDetail");
        boolean moving = progress.path("current").asLong() > 0 || progress.path("total").asLong() > 0;
        if (!inPlace) {
            if (!moving && event.has("status") && !event.path("status").asText().isEmpty()) out.println(line(id, event, ""));
        } else if (id.isEmpty() || !(event.has("progressDetail"))) {
            lines.clear();                         // lines above this one are finished
            out.print(line(id, event, "") + "\r\n");
        } else {
            inPlace(id, line(id, event, moving ? bar(progress) : ""));
        }
        out.flush();
    }

    private static String line(String id, JsonNode event, String bar) {
        var status = event.path("status").asText("").stripTrailing();
        return (id.isEmpty() ? "" : id + ": ") + status + (bar.isEmpty() ? "" : status.isEmpty() ? bar : " " + bar);
    }

    private void inPlace(String id, String text) {
        var line = lines.get(id);
        if (line == null) {
            line = lines.size();
            lines.put(id, line);
            out.print("\r\n");
        }
        int up = lines.size() - line;
        var shown = columns > 1 && text.length() >= columns ? text.substring(0, columns - 1) : text;
        out.print("\033[" + up + "A\033[2K\r" + shown + "\r\033[" + up + "B");
    }

    private String bar(JsonNode progress) {
        long current = progress.path("current").asLong();
        long total = progress.path("total").asLong();
        if (total <= 0 || current > total) return Units.size(current, 4);
        int filled = (int) (50 * current / total);
        var bar = columns < 110 ? "" : "[" + "=".repeat(filled) + ">" + " ".repeat(50 - filled) + "] ";
        return bar + " " + Units.size(current, 4) + "/" + Units.size(total, 4);
    }
}
