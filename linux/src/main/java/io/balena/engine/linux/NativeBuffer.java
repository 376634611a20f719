package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/// A block of memory outside the Java heap, through which bytes travel from descriptor to descriptor without being touched.
public final class NativeBuffer implements AutoCloseable {
    /// Returned where a non-blocking descriptor has no bytes, or no room, at the moment.
    public static final int WOULD_BLOCK = -1;

    private final NativeMemory owned;
    private final Pointer memory;
    private final int capacity;

    /// @param capacity bytes
    public NativeBuffer(int capacity) {
        this.owned = new NativeMemory(capacity);
        this.memory = owned.pointer();
        this.capacity = capacity;
    }

    public int capacity() {
        return capacity;
    }

    Pointer pointer() {
        return memory;
    }

    /// Reads what is there, at most `length` bytes, to `offset`.
    ///
    /// @return bytes read, 0 at the end, or [#WOULD_BLOCK]
    /// @throws ErrnoException `EIO` from a terminal nobody has open any more
    public int read(Fd from, int offset, int length) throws ErrnoException {
        check(offset, length);
        return result(Libc.read(from.number(), memory.share(offset), length), "read", from);
    }

    /// Writes `length` bytes from `offset`, or as many of them as fit.
    ///
    /// @return bytes written, or [#WOULD_BLOCK]
    /// @throws ErrnoException `EPIPE` when the reader is gone; `ENOSPC`, `EDQUOT` when a disk is full
    public int write(Fd to, int offset, int length) throws ErrnoException {
        check(offset, length);
        return result(Libc.write(to.number(), memory.share(offset), length), "write", to);
    }

    public void get(int offset, byte[] into, int at, int length) {
        check(offset, length);
        memory.read(offset, into, at, length);
    }

    public void put(int offset, byte[] from, int at, int length) {
        check(offset, length);
        memory.write(offset, from, at, length);
    }

    @Override
    public void close() {
        owned.close();
    }

    static int result(int result, String call, Fd fd) throws ErrnoException {
        if (result >= 0) return result;
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN.number() || errno == Errno.EINTR.number()) return WOULD_BLOCK;
        throw new ErrnoException(errno, call, fd);
    }

    private void check(int offset, int length) {
        if (offset < 0 || length < 0 || offset > capacity - length) {
            throw new IndexOutOfBoundsException(offset + "+" + length + " of " + capacity);
        }
    }
}
