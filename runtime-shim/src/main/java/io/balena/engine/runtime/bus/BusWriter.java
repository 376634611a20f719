package io.balena.engine.runtime.bus;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Puts values into the D-Bus wire format, little-endian: each is aligned to its own size, counted from the start.
///
/// @see <a href="https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling">D-Bus specification, marshaling</a>
public final class BusWriter {
    private byte[] bytes = new byte[256];
    private int length;

    byte[] toByteArray() {
        return Arrays.copyOf(bytes, length);
    }

    int length() {
        return length;
    }

    public BusWriter align(int size) {
        while (length % size != 0) octet(0);
        return this;
    }

    public BusWriter octet(int value) {
        if (length == bytes.length) bytes = Arrays.copyOf(bytes, 2 * length);
        bytes[length++] = (byte) value;
        return this;
    }

    public BusWriter uint32(long value) {
        align(4);
        for (int i = 0; i < 4; i++) octet((int) (value >>> 8 * i));
        return this;
    }

    public BusWriter uint64(long value) {
        align(8);
        for (int i = 0; i < 8; i++) octet((int) (value >>> 8 * i));
        return this;
    }

    public BusWriter flag(boolean value) {
        return uint32(value ? 1 : 0);
    }

    /// Also an object path.
    public BusWriter string(String value) {
        byte[] text = value.getBytes(StandardCharsets.UTF_8);
        uint32(text.length);
        for (byte b : text) octet(b);
        return octet(0);
    }

    public BusWriter signature(String value) {
        octet(value.length());
        for (int i = 0; i < value.length(); i++) octet(value.charAt(i));
        return octet(0);
    }

    public interface Elements {
        void write(BusWriter to);
    }

    /// @param alignment of one element; the padding before the first is not part of the array's length
    public BusWriter array(int alignment, Elements elements) {
        uint32(0);
        int size = length - 4;
        align(alignment);
        int start = length;
        elements.write(this);
        int written = length - start;
        for (int i = 0; i < 4; i++) bytes[size + i] = (byte) (written >>> 8 * i);
        return this;
    }
}
