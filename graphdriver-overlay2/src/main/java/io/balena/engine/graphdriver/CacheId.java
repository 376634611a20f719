package io.balena.engine.graphdriver;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// The name of a folder in `overlay2`: 64 hexadecimal digits, and `-init` for the lower half of a container's layer.
record CacheId(String text) {
    private static final Pattern FORM = Pattern.compile("[a-f0-9]{64}(-init)?");
    private static final SecureRandom RANDOM = new SecureRandom();

    /// @throws IllegalArgumentException when `text` is not of that form
    CacheId {
        if (!isValid(text)) throw new IllegalArgumentException("not the name of an overlay2 folder: \"" + text + "\"");
    }

    static boolean isValid(String text) {
        return FORM.matcher(text).matches();
    }

    static CacheId random() {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        return new CacheId(HexFormat.of().formatHex(bytes));
    }

    CacheId init() {
        return new CacheId(text + "-init");
    }

    @Override
    public String toString() {
        return text;
    }
}
