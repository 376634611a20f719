package io.balena.engine.network.address;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import io.balena.engine.linux.MacAddress;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/// An IPv4 or IPv6 address.
///
/// @param v6 which of the two
/// @param high the first eight bytes of an IPv6 address; 0 for IPv4
/// @param low its last eight; for IPv4 the four bytes, the first one highest
public record Ip(boolean v6, long high, long low) implements Comparable<Ip> {
    public static final Ip ANY = v4(0);
    public static final Ip ANY_V6 = new Ip(true, 0, 0);

    static Ip v4(int bits) {
        return new Ip(false, 0, bits & 0xffff_ffffL);
    }

    /// The text forms of RFC 791 and RFC 4291, and nothing else: no names, no octal, no short forms of IPv4, no zones.
    ///
    /// @throws IllegalArgumentException for anything else
    @JsonCreator
    public static Ip parse(String text) {
        return text.indexOf(':') >= 0 ? parseV6(text) : parseV4(text);
    }

    private static Ip parseV4(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 4) throw invalid(text);
        int bits = 0;
        for (String part : parts) {
            if (!part.matches("0|[1-9][0-9]{0,2}") || Integer.parseInt(part) > 255) throw invalid(text);
            bits = bits << 8 | Integer.parseInt(part);
        }
        return v4(bits);
    }

    private static Ip parseV6(String text) {
        if (!text.matches("[0-9a-fA-F:.]{2,45}")) throw invalid(text);
        int gap = text.indexOf("::");
        if (gap >= 0 && text.indexOf("::", gap + 1) >= 0) throw invalid(text);
        byte[] head = gap < 0 ? groups(text, text) : groups(text.substring(0, gap), text);
        byte[] tail = gap < 0 ? new byte[0] : groups(text.substring(gap + 2), text);
        int length = head.length + tail.length;
        if (gap < 0 ? length != 16 : length > 14) throw invalid(text);
        byte[] bytes = Arrays.copyOf(head, 16);
        System.arraycopy(tail, 0, bytes, 16 - tail.length, tail.length);
        return ofV6(bytes);
    }

    private static byte[] groups(String part, String whole) {
        if (part.isEmpty()) return new byte[0];
        var bytes = ByteBuffer.allocate(18);
        String[] groups = part.split(":", -1);
        for (int i = 0; i < groups.length; i++) {
            if (i == groups.length - 1 && groups[i].indexOf('.') >= 0 && bytes.remaining() >= 4) {
                bytes.putInt((int) parseV4(groups[i]).low);
            } else {
                if (!groups[i].matches("[0-9a-fA-F]{1,4}") || bytes.remaining() < 2) throw invalid(whole);
                bytes.putShort((short) Integer.parseInt(groups[i], 16));
            }
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    private static IllegalArgumentException invalid(String text) {
        return new IllegalArgumentException("invalid IP address: " + text);
    }

    public static Ip of(InetAddress address) {
        return address instanceof Inet4Address ? v4(ByteBuffer.wrap(address.getAddress()).getInt()) : ofV6(address.getAddress());
    }

    private static Ip ofV6(byte[] bytes) {
        var buffer = ByteBuffer.wrap(bytes);
        return new Ip(true, buffer.getLong(), buffer.getLong());
    }

    public InetAddress inet() {
        byte[] bytes = v6 ? ByteBuffer.allocate(16).putLong(high).putLong(low).array() : ByteBuffer.allocate(4).putInt((int) low).array();
        try {
            // An IPv4 address in the clothes of IPv6 stays IPv6.
            return v6 ? Inet6Address.getByAddress(null, bytes, -1) : InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new AssertionError("4 or 16 bytes are an address", e);
        }
    }

    /// 32 or 128.
    public int bits() {
        return v6 ? 128 : 32;
    }

    /// The address `count` further on, which may wrap.
    public Ip plus(long count) {
        long sum = low + count;
        if (!v6) return v4((int) sum);
        long carry = count >= 0 ? Long.compareUnsigned(sum, low) < 0 ? 1 : 0 : Long.compareUnsigned(sum, low) > 0 ? -1 : 0;
        return new Ip(true, high + carry, sum);
    }

    /// The address Docker derives for an IPv4 address: locally administered (02), then `42`, then the four bytes. A container that
    /// gets the address of an earlier one gets its hardware address too, so that no neighbour's cache is wrong.
    public MacAddress mac() {
        return new MacAddress(0x0242_0000_0000L | low & 0xffff_ffffL);
    }

    public boolean isAny() {
        return high == 0 && low == 0;
    }

    public boolean isLoopback() {
        return v6 ? high == 0 && low == 1 : low >>> 24 == 127;
    }

    @Override
    public int compareTo(Ip other) {
        if (v6 != other.v6) return v6 ? 1 : -1;
        int first = Long.compareUnsigned(high, other.high);
        return first != 0 ? first : Long.compareUnsigned(low, other.low);
    }

    /// As RFC 5952 has it: the longest run of zero groups left out.
    @JsonValue
    @Override
    public String toString() {
        if (!v6) return (low >>> 24) + "." + (low >>> 16 & 255) + "." + (low >>> 8 & 255) + "." + (low & 255);
        int[] groups = new int[8];
        for (int i = 0; i < 8; i++) groups[i] = (int) ((i < 4 ? high : low) >>> 48 - 16 * (i % 4)) & 0xffff;
        int start = -1;
        int length = 1;
        for (int i = 0; i < 8; i++) {
            int end = i;
            while (end < 8 && groups[end] == 0) end++;
            if (end - i > length) {
                start = i;
                length = end - i;
            }
        }
        var text = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            if (i == start) {
                text.append("::");
                i += length - 1;
            } else {
                if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') text.append(':');
                text.append(Integer.toHexString(groups[i]));
            }
        }
        return text.toString();
    }
}
