package io.balena.engine.daemon.container;

import java.security.SecureRandom;
import java.util.HexFormat;

/// @param hex 64 lower-case hexadecimal digits
record ContainerId(String hex) {
    private static final int SHORT = 12;
    private static final int BYTES = 32;
    private static final SecureRandom RANDOM = new SecureRandom();

    ContainerId {
        if (!isId(hex)) throw new IllegalArgumentException("not a container id: " + hex);
    }

    static boolean isId(String text) {
        return text.length() == 2 * BYTES && text.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    /// A new one. Its short form is never all digits: as a host name it would be taken for an address.
    static ContainerId random() {
        byte[] bytes = new byte[BYTES];
        while (true) {
            RANDOM.nextBytes(bytes);
            String hex = HexFormat.of().formatHex(bytes);
            if (!hex.substring(0, SHORT).chars().allMatch(Character::isDigit)) return new ContainerId(hex);
        }
    }

    String shortHex() {
        return hex.substring(0, SHORT);
    }

    @Override
    public String toString() {
        return hex;
    }
}
