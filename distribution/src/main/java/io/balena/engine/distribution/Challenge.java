package io.balena.engine.distribution;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How a registry wants to be convinced: one challenge of a `WWW-Authenticate` header.
///
/// @param scheme in lower case, e.g. `bearer`
/// @see <a href="https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate">RFC 9110, WWW-Authenticate</a>
record Challenge(String scheme, Map<String, String> parameters) {
    private static final Pattern SCHEME = Pattern.compile("\\s*,?\\s*([A-Za-z][A-Za-z0-9_-]*)(?=\\s|,|$)");
    private static final Pattern PARAMETER =
            Pattern.compile("\\s*,?\\s*([A-Za-z][A-Za-z0-9_-]*)\\s*=\\s*(?:\"((?:[^\"\\\\]|\\\\.)*+)\"|([^\\s,\"]+))");

    static List<Challenge> parse(List<String> headers) {
        List<Challenge> challenges = new ArrayList<>();
        for (String header : headers) {
            Matcher scheme = SCHEME.matcher(header);
            Matcher parameter = PARAMETER.matcher(header);
            int at = 0;
            while (scheme.region(at, header.length()).lookingAt()) {
                at = scheme.end();
                Map<String, String> parameters = new HashMap<>();
                while (parameter.region(at, header.length()).lookingAt()) {
                    at = parameter.end();
                    String quoted = parameter.group(2);
                    String value = quoted == null ? parameter.group(3) : quoted.replaceAll("\\\\(.)", "$1");
                    parameters.put(parameter.group(1).toLowerCase(Locale.ROOT), value);
                }
                challenges.add(new Challenge(scheme.group(1).toLowerCase(Locale.ROOT), Map.copyOf(parameters)));
            }
        }
        return challenges;
    }

    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }
}
