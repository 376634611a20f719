package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What stands in the head of a compressed log: `{"lastTime":"…"}` of Docker, and of our shim also which file it was before, by
/// which a follower knows it again.
final class GzipNote {
    /// A gzip head, the length of the note, and the note.
    static final int MOST_BYTES = 256;
    private static final int FIXED_BYTES = 10;
    private static final int HAS_EXTRA = 4;
    private static final Pattern IDENTITY = Pattern.compile("\"inode\":(\\d{1,19}),\"modified\":(\\d{1,19})");

    private GzipNote() {}

    /// @return null when it does not say
    static LogFile.Identity identity(byte[] head, int length) {
        if (length < FIXED_BYTES + 2 || (head[3] & HAS_EXTRA) == 0) return null;
        int note = head[FIXED_BYTES] & 0xff | (head[FIXED_BYTES + 1] & 0xff) << 8;
        Matcher found = IDENTITY.matcher(new String(head, FIXED_BYTES + 2, Math.min(note, length - FIXED_BYTES - 2), UTF_8));
        return found.find() ? new LogFile.Identity(Long.parseLong(found.group(1)), Long.parseLong(found.group(2))) : null;
    }
}
