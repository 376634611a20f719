package io.balena.engine.linux;

import java.io.IOException;

/// A system call that failed: what was attempted, on what, and why.
///
/// Callers switch on [#errno()], never on the message.
public final class ErrnoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int number;
    private final String call;

    /// @param number the value of errno, or the negated result of a raw system call
    /// @param call what was attempted, e.g. `mkdirat`
    /// @param on what it was attempted on, usually a path
    public ErrnoException(int number, String call, Object on) {
        super(message(number, call, on));
        this.number = number;
        this.call = call;
    }

    public Errno errno() {
        return Errno.of(number);
    }

    public int number() {
        return number;
    }

    public String call() {
        return call;
    }

    private static String message(int number, String call, Object on) {
        Errno errno = Errno.of(number);
        String name = errno == Errno.OTHER ? "errno " + number : errno.name();
        String subject = on == null ? "" : " " + on;
        return call + subject + ": " + errno.text() + " (" + name + ")";
    }
}
