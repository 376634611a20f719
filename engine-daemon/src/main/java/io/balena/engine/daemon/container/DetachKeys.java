package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.io.ByteArrayOutputStream;

/// The keys that leave a terminal without ending what runs in it, `ctrl-p,ctrl-q` unless said otherwise.
final class DetachKeys {
    private static final int CTRL = 0x1f;
    private static final int DELETE = 0x7f;
    private final byte[] keys;
    private int matched;

    private DetachKeys(byte[] keys) {
        this.keys = keys;
    }

    /// @param text keys separated by commas; a letter, `DEL`, or `ctrl-` and one of `a` to `z`, `@`, `[`, `\`, `]`, `^`, `_`
    /// @throws InvalidRequest for other keys
    static DetachKeys parse(String text) {
        var keys = new ByteArrayOutputStream();
        for (String key : (text.isEmpty() ? "ctrl-p,ctrl-q" : text).split(",", -1)) {
            if (key.equals("DEL")) keys.write(DELETE);
            else if (key.length() == 1 && key.charAt(0) < 0x80) keys.write(key.charAt(0));
            else if (key.matches("ctrl-[a-z@\\[\\\\\\]^_]")) keys.write(key.charAt(5) & CTRL);
            else throw new InvalidRequest("Invalid detach keys (" + text + ") provided");
        }
        return new DetachKeys(keys.toByteArray());
    }

    /// As an exec's inspect shows them: none unless there were some in its request.
    byte[] shown(String asked) {
        return asked.isEmpty() ? new byte[0] : keys;
    }

    /// What is left of `typed` for the program.
    ///
    /// @param detached all keys were typed; what came after them is dropped
    record Typed(byte[] forwarded, boolean detached) {}

    /// Keys that may be the beginning are held back until it is clear.
    Typed accept(byte[] typed, int length) {
        var forwarded = new ByteArrayOutputStream(length + keys.length);
        for (int i = 0; i < length; i++) {
            if (typed[i] == keys[matched]) {
                if (++matched == keys.length) return new Typed(forwarded.toByteArray(), true);
                continue;
            }
            forwarded.write(keys, 0, matched);
            matched = typed[i] == keys[0] ? 1 : 0;
            if (matched == 0) forwarded.write(typed[i]);
            else if (keys.length == 1) return new Typed(forwarded.toByteArray(), true);
        }
        return new Typed(forwarded.toByteArray(), false);
    }
}
