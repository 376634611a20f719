package io.balena.engine.linux;

import com.sun.jna.Pointer;

/// What a terminal does with the bytes that pass through it, to be put back as it was.
///
/// @see <a href="https://man7.org/linux/man-pages/man3/termios.3.html">termios(3), raw mode</a>
public final class TerminalMode implements AutoCloseable {
    private static final int TCGETS = 0x5401;
    private static final int TCSETS = 0x5402;

    // struct termios { tcflag_t iflag, oflag, cflag, lflag; cc_t line; cc_t cc[19]; }
    private static final int BYTES = 36;
    private static final int CC = 17;
    private static final int VTIME = 5;
    private static final int VMIN = 6;
    private static final int BREAK_PARITY_STRIP_CR_NL_FLOW = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100 | 0x400;
    private static final int OPOST = 0x1;
    private static final int SIZE_PARITY = 0x30 | 0x100;
    private static final int CS8 = 0x30;
    private static final int SIGNALS_LINES_ECHO = 0x1 | 0x2 | 0x8 | 0x40 | 0x8000;

    private final Fd terminal;
    private final byte[] before;

    private TerminalMode(Fd terminal, byte[] before) {
        this.terminal = terminal;
        this.before = before;
    }

    /// Lets every byte pass as it is, until this is closed.
    ///
    /// @throws ErrnoException `ENOTTY` when it is no terminal
    public static TerminalMode raw(Fd terminal) throws ErrnoException {
        try (var memory = NativeMemory.zeroed(BYTES)) {
            Pointer mode = memory.pointer();
            Libc.check(LoopLibc.ioctl(terminal.number(), TCGETS, mode), "ioctl(TCGETS)", terminal);
            var saved = new TerminalMode(terminal, mode.getByteArray(0, BYTES));
            mode.setInt(0, mode.getInt(0) & ~BREAK_PARITY_STRIP_CR_NL_FLOW);
            mode.setInt(4, mode.getInt(4) & ~OPOST);
            mode.setInt(8, mode.getInt(8) & ~SIZE_PARITY | CS8);
            mode.setInt(12, mode.getInt(12) & ~SIGNALS_LINES_ECHO);
            mode.setByte(CC + VMIN, (byte) 1);
            mode.setByte(CC + VTIME, (byte) 0);
            Libc.check(LoopLibc.ioctl(terminal.number(), TCSETS, mode), "ioctl(TCSETS)", terminal);
            return saved;
        }
    }

    /// Puts it back. A terminal that is gone needs no mode.
    @Override
    public void close() {
        try (var memory = NativeMemory.zeroed(BYTES)) {
            memory.pointer().write(0, before, 0, BYTES);
            LoopLibc.ioctl(terminal.number(), TCSETS, memory.pointer());
        }
    }
}
