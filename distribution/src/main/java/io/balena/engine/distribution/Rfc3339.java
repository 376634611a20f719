package io.balena.engine.distribution;

import java.time.Instant;

/// Points in time as Go writes them: up to nanoseconds, without zeros at the end.
///
/// Clients compare what they are told with what they were told before, and Docker writes anew what it reads from our files.
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc3339">RFC 3339</a>
public final class Rfc3339 {
    private Rfc3339() {}

    public static String text(Instant time) {
        String text = time.toString();
        if (text.indexOf('.') < 0) return text;
        int end = text.length() - 1; // Z
        while (text.charAt(end - 1) == '0') end--;
        if (text.charAt(end - 1) == '.') end--;
        return text.substring(0, end) + "Z";
    }
}
