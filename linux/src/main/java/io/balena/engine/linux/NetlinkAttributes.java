package io.balena.engine.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/// The attributes of a received message, by type. A length that does not fit ends the reading: never beyond the buffer.
final class NetlinkAttributes {
    private static final int TYPE_MASK = 0x3fff;

    private final Map<Integer, byte[]> values = new HashMap<>();

    static NetlinkAttributes parse(ByteBuffer bytes) {
        var attributes = new NetlinkAttributes();
        while (bytes.remaining() >= 4) {
            int start = bytes.position();
            int length = Short.toUnsignedInt(bytes.getShort());
            int type = bytes.getShort() & TYPE_MASK;
            if (length < 4 || length - 4 > bytes.remaining()) break;
            byte[] value = new byte[length - 4];
            bytes.get(value);
            attributes.values.put(type, value);
            bytes.position(Math.min(bytes.limit(), start + (length + 3 & ~3)));
        }
        return attributes;
    }

    NetlinkAttributes nested(int type) {
        byte[] value = values.getOrDefault(type, new byte[0]);
        return parse(ByteBuffer.wrap(value).order(ByteOrder.nativeOrder()));
    }

    /// Null when absent.
    byte[] bytes(int type) {
        return values.get(type);
    }

    String string(int type) {
        byte[] value = values.getOrDefault(type, new byte[0]);
        int end = 0;
        while (end < value.length && value[end] != 0) end++;
        return new String(value, 0, end, StandardCharsets.UTF_8);
    }

    int integer(int type, int otherwise) {
        byte[] value = values.get(type);
        return value == null || value.length < 4 ? otherwise : ByteBuffer.wrap(value).order(ByteOrder.nativeOrder()).getInt();
    }
}
