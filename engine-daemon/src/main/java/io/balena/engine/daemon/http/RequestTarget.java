package io.balena.engine.daemon.http;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The URL of a request, taken apart: `/v1.41/containers/json?all=1`.
///
/// @param version of the API, as written; empty when the path does not begin with one
/// @param segments of the path after the version, decoded; empty ones between slashes are left out, as path cleaning does
/// @param rawQuery after the `?`, still encoded
record RequestTarget(Optional<String> version, List<String> segments, String rawQuery) {

    /// @param uri a character for each byte
    /// @throws IllegalArgumentException when it is not a path, or a percent sign does not begin a byte
    static RequestTarget parse(String uri) {
        if (uri.chars().anyMatch(c -> c < ' ' || c == 0x7f)) throw new IllegalArgumentException("invalid control character in URL");
        String target = uri;
        if (!target.startsWith("/")) {
            // The absolute form, as sent to proxies: http://docker/v1.41/info
            int host = target.indexOf("://");
            int path = host < 0 ? -1 : target.indexOf('/', host + 3);
            if (path < 0) throw new IllegalArgumentException("invalid URI for request");
            target = target.substring(path);
        }
        int fragment = target.indexOf('#');
        if (fragment >= 0) target = target.substring(0, fragment);
        int question = target.indexOf('?');
        String path = question < 0 ? target : target.substring(0, question);
        String query = question < 0 ? "" : target.substring(question + 1);

        List<String> segments = new ArrayList<>();
        String[] parts = path.split("/", -1);
        for (int i = 1; i < parts.length; i++) {
            // A slash at the end is kept, so that "/images/json/" is not "/images/json".
            if (parts[i].isEmpty() && i < parts.length - 1) continue;
            addDecoded(segments, decode(parts[i], false));
        }
        if (segments.size() > 1 && isVersion(segments.getFirst())) {
            return new RequestTarget(Optional.of(segments.removeFirst().substring(1)), segments, query);
        }
        return new RequestTarget(Optional.empty(), segments, query);
    }

    /// All parameters, decoded, in their order.
    ///
    /// @throws IllegalArgumentException with Go's words when an escape is malformed
    Map<String, List<String>> parameters() {
        if (rawQuery.isEmpty()) return Map.of();
        Map<String, List<String>> parameters = new LinkedHashMap<>();
        for (String pair : rawQuery.split("&")) {
            if (pair.isEmpty()) continue;
            if (pair.indexOf(';') >= 0) throw new IllegalArgumentException("invalid semicolon separator in query");
            int equals = pair.indexOf('=');
            String name = decode(equals < 0 ? pair : pair.substring(0, equals), true);
            String value = equals < 0 ? "" : decode(pair.substring(equals + 1), true);
            parameters.computeIfAbsent(name, _ -> new ArrayList<>(1)).add(value);
        }
        return parameters;
    }

    // Clients may send the slashes of image names encoded; they separate like any other.
    private static void addDecoded(List<String> segments, String decoded) {
        if (decoded.indexOf('/') < 0) segments.add(decoded);
        else for (String part : decoded.split("/")) if (!part.isEmpty()) segments.add(part);
    }

    private static boolean isVersion(String segment) {
        if (segment.length() < 2 || segment.charAt(0) != 'v') return false;
        for (int i = 1; i < segment.length(); i++) {
            char c = segment.charAt(i);
            if ((c < '0' || c > '9') && c != '.') return false;
        }
        return true;
    }

    private static String decode(String text, boolean plusIsSpace) {
        if (text.chars().allMatch(c -> c < 0x80 && c != '%' && (c != '+' || !plusIsSpace))) return text;
        var bytes = new ByteArrayOutputStream(text.length());
        byte[] encoded = text.getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < encoded.length; i++) {
            if (encoded[i] == '+' && plusIsSpace) {
                bytes.write(' ');
            } else if (encoded[i] != '%') {
                bytes.write(encoded[i]);
            } else {
                int high = i + 2 <= encoded.length - 1 ? Character.digit(encoded[i + 1], 16) : -1;
                int low = i + 2 <= encoded.length - 1 ? Character.digit(encoded[i + 2], 16) : -1;
                if (high < 0 || low < 0) {
                    String escape = new String(encoded, i, Math.min(3, encoded.length - i), StandardCharsets.UTF_8);
                    throw new IllegalArgumentException("invalid URL escape \"" + escape + "\"");
                }
                bytes.write(high << 4 | low);
                i += 2;
            }
        }
        // As Go does: what is not UTF-8 is replaced, and names nothing.
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
