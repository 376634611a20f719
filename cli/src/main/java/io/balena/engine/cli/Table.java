package io.balena.engine.cli;

import java.util.ArrayList;
import java.util.List;

/// Columns of a least width, ten characters unless said otherwise, with three spaces between them; the last is not padded.
final class Table {
    private static final int GAP = 3;
    private final int leastWidth;
    private final List<List<String>> rows = new ArrayList<>();

    Table(String... headings) {
        this(10, headings);
    }

    Table(int leastWidth, String... headings) {
        this.leastWidth = leastWidth;
        row(headings);
    }

    void row(String... cells) {
        rows.add(List.of(cells));
    }

    @Override public String toString() {
        int columns = rows.stream().mapToInt(List::size).max().orElse(0);
        var widths = new int[columns];
        for (var row : rows) {
            for (int i = 0; i < row.size(); i++) widths[i] = Math.max(widths[i], row.get(i).codePointCount(0, row.get(i).length()));
        }
        var text = new StringBuilder();
        for (var row : rows) {
            for (int i = 0; i < row.size(); i++) {
                var cell = row.get(i);
                text.append(cell);
                if (i < row.size() - 1) text.repeat(' ', Math.max(leastWidth, widths[i] + GAP) - cell.codePointCount(0, cell.length()));
            }
            text.append('\n');
        }
        return text.toString();
    }
}
