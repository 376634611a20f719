package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Memory outside the heap for the arguments and results of many calls: `bytes` to fill and read it, the rest to hand it to the
/// kernel. Unlike a [NativeBuffer], which one closes, it lives as long as the object that has it.
final class CallBuffer {
    final ByteBuffer bytes;
    final Pointer pointer;
    final long address;

    CallBuffer(int size) {
        bytes = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        pointer = Native.getDirectBufferPointer(bytes);
        address = Pointer.nativeValue(pointer);
    }
}
