package io.balena.engine.packaging.contract;

import java.util.regex.Pattern;

/// `GET /containers/{id}/json`
public record Endpoint(String method, String path) {

    boolean matches(String otherMethod, String otherPath) {
        return method.equals(otherMethod) && pattern().matcher(otherPath).matches();
    }

    // Names of images have slashes; so may have those of plugins.
    private Pattern pattern() {
        return Pattern.compile(path.replaceAll("\\{[^}]*}", path.startsWith("/images") || path.startsWith("/distribution") || path.startsWith("/plugins") ? ".+" : "[^/]+"));
    }

    /// Of several that match, the one with more words of its own is meant.
    int vagueness() {
        return -path.replaceAll("\\{[^}]*}", "").length();
    }

    static Endpoint parse(String words) {
        int space = words.indexOf(' ');
        return new Endpoint(words.substring(0, space), words.substring(space + 1));
    }

    @Override
    public String toString() {
        return method + " " + path;
    }
}
