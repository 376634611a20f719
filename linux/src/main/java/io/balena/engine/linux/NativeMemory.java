package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/// Memory outside the heap for a structure of a known size, given back by [#close].
///
/// JNA's `Memory` would do, too, but starts a cleaner thread, which is much for the shim.
final class NativeMemory implements AutoCloseable {
    private final long address;
    private final Pointer pointer;

    /// Not zeroed: pages nobody writes to cost nothing.
    NativeMemory(int bytes) {
        address = Native.malloc(bytes);
        if (address == 0) throw new OutOfMemoryError("malloc(" + bytes + ")");
        pointer = new Pointer(address);
    }

    static NativeMemory zeroed(int bytes) {
        var memory = new NativeMemory(bytes);
        memory.pointer.clear(bytes);
        return memory;
    }

    Pointer pointer() {
        return pointer;
    }

    long address() {
        return address;
    }

    @Override
    public void close() {
        Native.free(address);
    }
}
