package io.balena.engine.daemon;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.text.MessageFormat;
import java.time.Clock;
import java.time.OffsetDateTime;
import java.util.ResourceBundle;

/// Writes lines as moby does: `time="2026-11-22T10:00:00.000000000Z" level=info msg="API listen on /run/x.sock"`.
///
/// An exception that is logged adds its words as `error` and, at level debug, where it came from as `stack`.
final class LogfmtLogger implements System.Logger {
    private static volatile Level threshold = Level.INFO;

    private final String name;
    private final Level least;
    private final PrintStream out;
    private final Clock clock;

    /// @param least level that this logger writes, even if [#threshold] would let more through
    LogfmtLogger(String name, Level least) {
        this(name, least, System.err, Clock.systemDefaultZone());
    }

    LogfmtLogger(String name, Level least, PrintStream out, Clock clock) {
        this.name = name;
        this.least = least;
        this.out = out;
        this.clock = clock;
    }

    /// The least level that is written, by all loggers.
    static void threshold(Level level) {
        threshold = level;
    }

    @Override
    public String getName() {
        return name;
    }

    @Override
    public boolean isLoggable(Level level) {
        return level.getSeverity() >= Math.max(threshold.getSeverity(), least.getSeverity()) && level != Level.OFF;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
        if (isLoggable(level)) write(level, message, thrown);
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
        if (!isLoggable(level)) return;
        write(level, parameters == null || parameters.length == 0 ? format : MessageFormat.format(format, parameters), null);
    }

    private void write(Level level, String message, Throwable thrown) {
        var line = new StringBuilder(160).append("time=\"");
        appendTime(line);
        line.append("\" level=").append(word(level)).append(" msg=");
        appendValue(line, String.valueOf(message));
        if (thrown != null) {
            line.append(" error=");
            appendValue(line, thrown.toString());
            if (isLoggable(Level.DEBUG) || thrown instanceof RuntimeException || thrown instanceof Error) {
                line.append(" stack=");
                appendValue(line, stack(thrown));
            }
        }
        // One write per line, so that lines of several threads do not mix.
        out.print(line.append('\n'));
    }

    private void appendTime(StringBuilder line) {
        OffsetDateTime now = OffsetDateTime.now(clock);
        appendPadded(line, now.getYear(), 4).append('-');
        appendPadded(line, now.getMonthValue(), 2).append('-');
        appendPadded(line, now.getDayOfMonth(), 2).append('T');
        appendPadded(line, now.getHour(), 2).append(':');
        appendPadded(line, now.getMinute(), 2).append(':');
        appendPadded(line, now.getSecond(), 2).append('.');
        appendPadded(line, now.getNano(), 9).append(now.getOffset().getId());
    }

    private static StringBuilder appendPadded(StringBuilder line, int number, int width) {
        String digits = Integer.toString(number);
        return line.repeat("0", width - digits.length()).append(digits);
    }

    private static String word(Level level) {
        return switch (level) {
            case ALL, TRACE -> "trace";
            case DEBUG -> "debug";
            case INFO -> "info";
            case WARNING -> "warning";
            case ERROR, OFF -> "error";
        };
    }

    private static void appendValue(StringBuilder line, String value) {
        if (!needsQuotes(value)) {
            line.append(value);
            return;
        }
        line.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"', '\\' -> line.append('\\').append(c);
                case '\n' -> line.append("\\n");
                case '\t' -> line.append("\\t");
                case '\r' -> line.append("\\r");
                default -> {
                    // Control characters would let what is logged move the cursor of whoever reads the log.
                    if (c < ' ' || c == 0x7f) line.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
                    else line.append(c);
                }
            }
        }
        line.append('"');
    }

    private static boolean needsQuotes(String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            boolean plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "-._/@^+".indexOf(c) >= 0;
            if (!plain) return true;
        }
        return false;
    }

    private static String stack(Throwable thrown) {
        var text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString().strip();
    }
}
