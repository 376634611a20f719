package io.balena.engine.daemon.image;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// A shell pattern as Go's path.Match has it: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes.
record ReferencePattern(Pattern pattern) {
    static ReferencePattern of(String text) {
        var regex = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '*' -> regex.append("[^/]*");
                case '?' -> regex.append("[^/]");
                case '[' -> {
                    int end = text.indexOf(']', i + 1);
                    if (end < 0) throw new InvalidRequest("syntax error in pattern");
                    regex.append('[').append(text, i + 1, end).append(']');
                    i = end;
                }
                case '\\' -> {
                    if (++i == text.length()) throw new InvalidRequest("syntax error in pattern");
                    regex.append(Pattern.quote(text.substring(i, i + 1)));
                }
                default -> regex.append(Pattern.quote(String.valueOf(c)));
            }
        }
        try {
            return new ReferencePattern(Pattern.compile(regex.toString()));
        } catch (PatternSyntaxException e) {
            throw new InvalidRequest("syntax error in pattern");
        }
    }

    boolean matches(String text) {
        return pattern.matcher(text).matches();
    }
}
