package io.balena.engine.daemon.container.config;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Sizes as Docker's users write them: `10m`, `64MiB`, `1.5g`; units are powers of 1024.
public final class ByteSize {
    private static final Pattern WRITTEN = Pattern.compile("(\\d{1,15}(?:\\.\\d{1,15})?) ?([kmgtp]?)(?:i?b)?", Pattern.CASE_INSENSITIVE);

    private ByteSize() {}

    /// @return bytes
    /// @throws IllegalArgumentException with Docker's words
    public static long parse(String written) {
        return parse(written, 1024);
    }

    /// The same, in powers of 1000, whatever the unit is called: so are the sizes of logs.
    ///
    /// @return bytes
    /// @throws IllegalArgumentException with Docker's words
    public static long parseDecimal(String written) {
        return parse(written, 1000);
    }

    private static long parse(String written, int base) {
        Matcher parts = WRITTEN.matcher(written);
        if (!parts.matches()) throw new IllegalArgumentException("invalid size: '" + written + "'");
        int power = parts.group(2).isEmpty() ? 0 : "kmgtp".indexOf(parts.group(2).toLowerCase(Locale.ROOT)) + 1;
        return (long) (Double.parseDouble(parts.group(1)) * Math.pow(base, power));
    }
}
