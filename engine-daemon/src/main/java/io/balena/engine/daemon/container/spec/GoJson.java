package io.balena.engine.daemon.container.spec;

import java.util.Optional;

/// Looks for the first thing in a text that JSON forbids, and says what Go's decoder says of it.
///
/// Clients compare these words; no other reader of ours finds them.
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc8259">RFC 8259, JSON</a>
final class GoJson {
    /// Go goes on to 10,000; no profile needs ten, and the stacks of our threads are small.
    private static final int DEEPEST = 100;

    private final String text;
    private int at;

    private static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message, null, false, false);
        }
    }

    private GoJson(String text) {
        this.text = text;
    }

    /// @return empty when all of it is one JSON value
    static Optional<String> fault(String text) {
        var json = new GoJson(text);
        try {
            json.value(0);
            json.skipSpace();
            if (json.at < text.length()) throw json.invalid("after top-level value");
            return Optional.empty();
        } catch (Malformed e) {
            return Optional.of(e.getMessage());
        }
    }

    private void value(int depth) throws Malformed {
        if (depth > DEEPEST) throw new Malformed("exceeded max depth");
        skipSpace();
        switch (peek()) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> literal("true");
            case 'f' -> literal("false");
            case 'n' -> literal("null");
            case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> number();
            default -> throw invalid("looking for beginning of value");
        }
    }

    private void object(int depth) throws Malformed {
        at++;
        skipSpace();
        if (skip('}')) return;
        while (true) {
            if (peek() != '"') throw invalid("looking for beginning of object key string");
            string();
            skipSpace();
            if (peek() != ':') throw invalid("after object key");
            at++;
            value(depth + 1);
            skipSpace();
            if (skip('}')) return;
            if (!skip(',')) throw invalid("after object key:value pair");
            skipSpace();
        }
    }

    private void array(int depth) throws Malformed {
        at++;
        skipSpace();
        if (skip(']')) return;
        while (true) {
            value(depth + 1);
            skipSpace();
            if (skip(']')) return;
            if (!skip(',')) throw invalid("after array element");
        }
    }

    private void string() throws Malformed {
        for (at++; peek() != '"'; at++) {
            if (peek() < ' ') throw invalid("in string literal");
            if (peek() != '\\') continue;
            at++;
            if (peek() == 'u') {
                for (int i = 0; i < 4; i++) {
                    at++;
                    if (Character.digit(peek(), 16) < 0) throw invalid("in \\u hexadecimal character escape");
                }
            } else if ("bfnrt\\/\"".indexOf(peek()) < 0) {
                throw invalid("in string escape code");
            }
        }
        at++;
    }

    private void literal(String word) throws Malformed {
        for (int i = 0; i < word.length(); i++, at++) {
            if (peek() != word.charAt(i)) throw invalid("in literal " + word + " (expecting " + quoted(word.charAt(i)) + ")");
        }
    }

    private void number() throws Malformed {
        skip('-');
        if (!skip('0')) digits("in numeric literal");
        if (at < text.length() && skip('.')) digits("after decimal point in numeric literal");
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            at++;
            if (!skip('+')) skip('-');
            digits("in exponent of numeric literal");
        }
    }

    private void digits(String where) throws Malformed {
        if (!isDigit(peek())) throw invalid(where);
        while (at < text.length() && isDigit(text.charAt(at))) at++;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private boolean skip(char c) throws Malformed {
        if (peek() != c) return false;
        at++;
        return true;
    }

    private char peek() throws Malformed {
        if (at >= text.length()) throw new Malformed("unexpected end of JSON input");
        return text.charAt(at);
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private Malformed invalid(String where) throws Malformed {
        return new Malformed("invalid character " + quoted(peek()) + " " + where);
    }

    private static String quoted(char c) {
        return switch (c) {
            case '\'' -> "'\\''";
            case '\\' -> "'\\\\'";
            case '\n' -> "'\\n'";
            case '\t' -> "'\\t'";
            case '\r' -> "'\\r'";
            default -> c < ' ' ? "'\\x%02x'".formatted((int) c) : "'" + c + "'";
        };
    }
}
