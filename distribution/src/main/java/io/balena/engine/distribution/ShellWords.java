package io.balena.engine.distribution;

import java.util.function.Function;

/// Quotes, escapes and variables in the words of Dockerfile instructions: `"$HOME/x"`, `${A:-b}`, `a\ b`.
///
/// @see <a href="https://docs.docker.com/reference/dockerfile/#environment-replacement">Dockerfile reference, environment replacement</a>
final class ShellWords {
    private final Function<String, String> variables;

    /// @param variables a variable's value, null when it is not set
    ShellWords(Function<String, String> variables) {
        this.variables = variables;
    }

    /// `word` without its quotes and with variables replaced.
    ///
    /// @throws DistributionException.InvalidRequest when a quote or brace is left open
    String expand(String word) {
        try {
            return new Scan(word).until('\0');
        } catch (Unfinished e) {
            throw new DistributionException.InvalidRequest("failed to process " + quoted(word) + ": " + e.getMessage());
        }
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private final class Scan {
        private final String text;
        private int at;

        Scan(String text) {
            this.text = text;
        }

        /// @param end what closes this part; NUL for the end of the text
        String until(char end) throws Unfinished {
            StringBuilder out = new StringBuilder();
            while (at < text.length()) {
                char c = text.charAt(at++);
                if (end != '\0' && c == end) return out.toString();
                switch (c) {
                    case '\'' -> out.append(singleQuoted());
                    case '"' -> out.append(doubleQuoted());
                    case '$' -> out.append(variable());
                    case '\\' -> {
                        if (at < text.length()) out.append(text.charAt(at++));
                    }
                    default -> out.append(c);
                }
            }
            if (end != '\0') throw new Unfinished("syntax error: missing '" + end + "'");
            return out.toString();
        }

        private String singleQuoted() throws Unfinished {
            int close = text.indexOf('\'', at);
            if (close < 0) throw new Unfinished("unexpected end of statement while looking for matching single-quote");
            String inside = text.substring(at, close);
            at = close + 1;
            return inside;
        }

        private String doubleQuoted() throws Unfinished {
            StringBuilder out = new StringBuilder();
            while (at < text.length()) {
                char c = text.charAt(at++);
                if (c == '"') return out.toString();
                if (c == '$') out.append(variable());
                else if (c == '\\' && at < text.length() && "\"$\\".indexOf(text.charAt(at)) >= 0) out.append(text.charAt(at++));
                else out.append(c);
            }
            throw new Unfinished("unexpected end of statement while looking for matching double-quote");
        }

        private String variable() throws Unfinished {
            if (at < text.length() && text.charAt(at) == '{') {
                at++;
                return braced();
            }
            String name = name();
            return name.isEmpty() ? "$" : value(name);
        }

        private String braced() throws Unfinished {
            String name = name();
            if (at >= text.length()) throw new Unfinished("syntax error: missing '}'");
            char next = text.charAt(at++);
            if (next == '}') {
                if (name.isEmpty()) throw new Unfinished("syntax error: bad substitution");
                return value(name);
            }
            boolean emptyCounts = next == ':';
            if (emptyCounts && at < text.length()) next = text.charAt(at++);
            String word = until('}');
            String value = variables.apply(name);
            boolean set = value != null && !(emptyCounts && value.isEmpty());
            return switch (next) {
                case '-' -> set ? value : word;
                case '+' -> set ? word : "";
                case '?' -> {
                    if (set) yield value;
                    throw new Unfinished(name + ": " + (word.isEmpty() ? "is not allowed to be unset" : word));
                }
                default -> throw new Unfinished("unsupported modifier (" + next + ") in substitution");
            };
        }

        private String name() {
            int start = at;
            if (at < text.length() && Character.isDigit(text.charAt(at))) {
                at++;
            } else {
                while (at < text.length() && isNamePart(text.charAt(at))) at++;
            }
            return text.substring(start, at);
        }

        private String value(String name) {
            String value = variables.apply(name);
            return value == null ? "" : value;
        }

        private static boolean isNamePart(char c) {
            return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
        }
    }

    private static final class Unfinished extends Exception {
        private static final long serialVersionUID = 1L;

        Unfinished(String message) {
            super(message);
        }
    }
}
