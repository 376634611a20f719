package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.List;
import java.util.Locale;

/// Signals by name or number.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/signal.7.html">signal(7), the numbers of x86 and ARM</a>
record Signal(int number) {
    static final Signal KILL = new Signal(9);

    private static final List<String> NAMES = List.of("", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
            "WINCH", "IO", "PWR", "SYS");
    private static final int FIRST_REAL_TIME = 34;
    private static final int LAST = 64;

    /// @param text `SIGTERM`, `term`, `15`, `RTMIN+3`
    /// @throws InvalidRequest in Docker's words
    static Signal parse(String text) {
        String name = text.toUpperCase(Locale.ROOT);
        if (name.startsWith("SIG")) name = name.substring(3);
        int number = switch (name) {
            case "" -> -1;
            case "IOT" -> 6;
            case "CLD" -> 17;
            case "POLL" -> 29;
            case "RTMIN" -> FIRST_REAL_TIME;
            case "RTMAX" -> LAST;
            default -> NAMES.indexOf(name);
        };
        if (number < 0 && name.matches("\\d{1,3}")) number = Integer.parseInt(name);
        if (number < 0 && name.matches("RTMIN\\+\\d{1,2}")) number = FIRST_REAL_TIME + Integer.parseInt(name.substring(6));
        if (number < 0 && name.matches("RTMAX-\\d{1,2}")) number = LAST - Integer.parseInt(name.substring(6));
        if (number < 1 || number > LAST) throw new InvalidRequest("Invalid signal: " + text);
        return new Signal(number);
    }
}
