package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.util.Locale;

/// Signals by their names; the numbers are those of x86 and ARM.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/signal.7.html">signal(7)</a>
final class Signals {
    private static final String[] NAMES = {
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
        "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"
    };
    private static final int LAST = 64;

    private Signals() {}

    /// @param signal a number, or a name with or without `SIG`
    /// @throws ContainerFailure when it is neither
    static int number(String signal) throws ContainerFailure {
        try {
            int number = Integer.parseInt(signal);
            if (number >= 0 && number <= LAST) return number;
        } catch (NumberFormatException _) {
            String name = signal.toUpperCase(Locale.ROOT);
            if (name.startsWith("SIG")) name = name.substring(3);
            for (int i = 0; i < NAMES.length; i++) {
                if (NAMES[i].equals(name)) return i + 1;
            }
            switch (name) {
                case "IOT": return 6;
                case "CLD": return 17;
                case "POLL": return 29;
                default: break;
            }
            int realtime = realtime(name);
            if (realtime > 0) return realtime;
        }
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "unknown signal \"" + signal + "\"");
    }

    /// `RTMIN`, `RTMIN+3`, `RTMAX-1`; the first two are the C library's own.
    private static int realtime(String name) {
        boolean fromEnd = name.startsWith("RTMAX");
        if (!fromEnd && !name.startsWith("RTMIN")) return 0;
        int base = fromEnd ? LAST : 34;
        if (name.length() == 5) return base;
        if (name.charAt(5) != (fromEnd ? '-' : '+')) return 0;
        try {
            int number = fromEnd ? base - Integer.parseInt(name.substring(6)) : base + Integer.parseInt(name.substring(6));
            return number >= 34 && number <= LAST ? number : 0;
        } catch (NumberFormatException _) {
            return 0;
        }
    }

    /// Whether a program that does nothing about it ends.
    static boolean endsPrograms(int signal) {
        return switch (signal) {
            case 0, 17, 18, 19, 20, 21, 22, 23, 28 -> false;
            default -> true;
        };
    }
}
