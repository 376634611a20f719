package io.balena.engine.runtime.shim;

/// Ids become names of folders.
final class ContainerId {
    private static final int MOST_CHARACTERS = 255;

    private ContainerId() {}

    static boolean isValid(String id) {
        if (id.isEmpty() || id.length() > MOST_CHARACTERS) return false;
        for (int i = 0; i < id.length(); i++) {
            char c = id.charAt(i);
            boolean letterOrDigit = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
            if (!letterOrDigit && (i == 0 || c != '_' && c != '.' && c != '-')) return false;
        }
        return true;
    }
}
