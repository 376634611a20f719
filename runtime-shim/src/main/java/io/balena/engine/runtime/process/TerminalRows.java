package io.balena.engine.runtime.process;

import static io.balena.engine.linux.OpenFlags.RESOLVE_IN_ROOT;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_MAGICLINKS;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_SYMLINKS;

import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;

/// Rows that give a child a terminal of its container's own.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/ioctl_tty.2.html">ioctl_tty(2)</a>
final class TerminalRows {
    private static final int OPEN_TERMINAL = OpenFlags.RDWR | OpenFlags.NOCTTY;
    private static final long TIOCSPTLCK = 0x40045431;
    private static final long TIOCGPTPEER = 0x5441;
    private static final long TIOCSWINSZ = 0x5414;
    private static final long TIOCSCTTY = 0x540E;

    private TerminalRows() {}

    /// Opens a new terminal of the container's devpts: its master becomes descriptor `free`, its other side `free + 1`.
    ///
    /// @param root descriptor of the container's root
    static void addOpen(SyscallProgram program, int root, int free, StandardStreams.Terminal terminal) {
        // Whoever can write to the image could have put anything at this name; no link is followed, and what is not the
        // multiplexer of a devpts fails the next call.
        long how = program.words(
                OPEN_TERMINAL | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
        program.add(Syscall.OPENAT2, "open", "/dev/pts/ptmx", root, program.text("/dev/pts/ptmx"), how, 24);
        program.add(Syscall.IOCTL, "unlock", "/dev/pts/ptmx", free, TIOCSPTLCK, program.space(4));
        program.add(Syscall.IOCTL, "open terminal of", "/dev/pts/ptmx", free, TIOCGPTPEER, OPEN_TERMINAL);
        if (terminal.rows() > 0 && terminal.columns() > 0) {
            // struct winsize { unsigned short rows, columns, x pixels, y pixels }
            long size = (terminal.rows() & 0xFFFF) | (terminal.columns() & 0xFFFFL) << 16;
            program.add(Syscall.IOCTL, "set size of", "/dev/pts/ptmx", free, TIOCSWINSZ, program.words(size));
        }
    }

    /// Makes the terminal's other side the standard streams.
    static void addStreams(SyscallProgram program, int slave) {
        for (int i = 0; i < 3; i++) program.add(Syscall.DUP3, "dup3", "terminal", slave, i, 0);
        program.add(Syscall.CLOSE, "close", "terminal", slave);
    }

    /// Makes it the terminal of a session that has none, by whoever leads that.
    static void addControl(SyscallProgram program, int slave) {
        program.add(Syscall.IOCTL, "set controlling terminal", null, slave, TIOCSCTTY, 0);
    }
}
