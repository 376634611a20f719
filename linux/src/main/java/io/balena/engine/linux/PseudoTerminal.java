package io.balena.engine.linux;

import com.sun.jna.Pointer;

/// What a terminal's master can do that other files cannot.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/ioctl_tty.2.html">ioctl_tty(2)</a>
public final class PseudoTerminal {
    private static final int TIOCGWINSZ = 0x5413;
    private static final int TIOCSWINSZ = 0x5414;
    private static final int TIOCGPTPEER = 0x5441;

    private PseudoTerminal() {}

    /// The slave, wherever its devpts is mounted.
    public static Fd openSlave(Fd master) throws ErrnoException {
        Pointer flags = new Pointer(OpenFlags.RDWR | OpenFlags.NOCTTY | OpenFlags.CLOEXEC);
        return new Fd(Libc.check(LoopLibc.ioctl(master.number(), TIOCGPTPEER, flags), "ioctl(TIOCGPTPEER)", master));
    }

    /// How many rows and columns a terminal has; 0 when nobody said.
    ///
    /// @throws ErrnoException `ENOTTY` when it is none
    public static int[] windowSize(Fd terminal) throws ErrnoException {
        try (var memory = NativeMemory.zeroed(8)) {
            Pointer size = memory.pointer();
            Libc.check(LoopLibc.ioctl(terminal.number(), TIOCGWINSZ, size), "ioctl(TIOCGWINSZ)", terminal);
            return new int[] {size.getShort(0) & 0xFFFF, size.getShort(2) & 0xFFFF};
        }
    }

    /// Tells a terminal its size; the processes in its foreground get SIGWINCH.
    public static void setWindowSize(Fd terminal, int rows, int columns) throws ErrnoException {
        // struct winsize { unsigned short rows, columns, x pixels, y pixels }
        try (var memory = NativeMemory.zeroed(8)) {
            Pointer size = memory.pointer();
            size.setShort(0, (short) rows);
            size.setShort(2, (short) columns);
            Libc.check(LoopLibc.ioctl(terminal.number(), TIOCSWINSZ, size), "ioctl(TIOCSWINSZ)", terminal);
        }
    }
}
