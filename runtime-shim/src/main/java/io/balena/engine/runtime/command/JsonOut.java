package io.balena.engine.runtime.command;

/// Writes JSON as Go does: compact or indented by two blanks, with what HTML could mistake escaped.
final class JsonOut {
    private final StringBuilder text = new StringBuilder(512);
    private final boolean indented;
    private int depth;
    private boolean first = true;

    JsonOut(boolean indented) {
        this.indented = indented;
    }

    JsonOut beginObject() {
        return begin('{');
    }

    JsonOut endObject() {
        return end('}');
    }

    JsonOut beginArray() {
        return begin('[');
    }

    JsonOut endArray() {
        return end(']');
    }

    /// To be followed by its value.
    JsonOut name(String name) {
        separate();
        appendQuoted(text, name);
        text.append(indented ? ": " : ":");
        first = true;
        return this;
    }

    JsonOut field(String name, String value) {
        name(name);
        appendQuoted(text, value);
        first = false;
        return this;
    }

    JsonOut field(String name, long value) {
        name(name);
        text.append(value);
        first = false;
        return this;
    }

    /// Leaves the field out where it is 0.
    JsonOut fieldUnlessZero(String name, long value) {
        return value == 0 ? this : field(name, value);
    }

    JsonOut element(long value) {
        separate();
        text.append(value);
        return this;
    }

    JsonOut element(String value) {
        separate();
        appendQuoted(text, value);
        return this;
    }

    private JsonOut begin(char bracket) {
        if (text.isEmpty() || text.charAt(text.length() - 1) != ' ' && text.charAt(text.length() - 1) != ':') separate();
        text.append(bracket);
        depth++;
        first = true;
        return this;
    }

    private JsonOut end(char bracket) {
        depth--;
        if (!first) newLine();
        text.append(bracket);
        first = false;
        return this;
    }

    private void separate() {
        if (!first) text.append(',');
        if (depth > 0) newLine();
        first = false;
    }

    private void newLine() {
        if (!indented) return;
        text.append('\n');
        for (int i = 0; i < depth; i++) text.append("  ");
    }

    static String quoted(String value) {
        var text = new StringBuilder(value.length() + 2);
        appendQuoted(text, value);
        return text.toString();
    }

    private static void appendQuoted(StringBuilder text, String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"', '\\' -> text.append('\\').append(c);
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    boolean escaped = c < 0x20 || c == '<' || c == '>' || c == '&' || c == '\u2028' || c == '\u2029';
                    if (escaped) appendEscape(text, c);
                    else text.append(c);
                }
            }
        }
        text.append('"');
    }

    private static void appendEscape(StringBuilder text, char c) {
        String digits = Integer.toHexString(c);
        text.append("\\u").append("0".repeat(4 - digits.length())).append(digits);
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
