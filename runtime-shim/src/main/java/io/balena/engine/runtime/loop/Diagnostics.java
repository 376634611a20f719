package io.balena.engine.runtime.loop;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.PrintStream;

/// The shim's own few words, as logfmt lines. It lives long and its log is on a tmpfs: after so many bytes it falls silent.
public final class Diagnostics {
    private static final int MOST_BYTES = 256 << 10;

    private final PrintStream out;
    private final LogClock clock = new LogClock();
    private int written;

    public Diagnostics(PrintStream out) {
        this.out = out;
    }

    public void info(String message) {
        line("info", message);
    }

    public void warning(String message) {
        line("warning", message);
    }

    public void error(String attempted, Throwable cause) {
        line("error", attempted + ": " + cause);
        if (cause instanceof RuntimeException || cause instanceof Error) {
            StackTraceElement[] trace = cause.getStackTrace();
            for (int i = 0; i < Math.min(trace.length, 12); i++) line("error", "  at " + trace[i]);
        }
    }

    private synchronized void line(String level, String message) {
        if (written > MOST_BYTES) return;
        String escaped = message.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
        String line = "time=\"" + new String(clock.now(), ISO_8859_1) + "\" level=" + level + " msg=\"" + escaped + "\" module=shim";
        written += line.length();
        out.println(line);
    }
}
