package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Memory outside the heap, made once and used for many calls: `bytes` to fill it, `pointer` to hand it to the kernel.
final class CallBuffer {
    final ByteBuffer bytes;
    final Pointer pointer;

    CallBuffer(int size) {
        bytes = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        pointer = Native.getDirectBufferPointer(bytes);
    }
}
