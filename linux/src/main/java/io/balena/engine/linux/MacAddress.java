package io.balena.engine.linux;

import java.util.HexFormat;

/// An Ethernet address.
///
/// @param bits its 48 bits, the first byte on the wire being the highest
public record MacAddress(long bits) {
    private static final HexFormat COLONS = HexFormat.ofDelimiter(":");

    /// @throws IllegalArgumentException unless `text` is six pairs of hexadecimal digits between colons
    public static MacAddress parse(String text) {
        if (text.length() != 17) throw new IllegalArgumentException("invalid MAC address: " + text);
        try {
            return of(COLONS.parseHex(text));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("invalid MAC address: " + text, e);
        }
    }

    static MacAddress of(byte[] bytes) {
        long bits = 0;
        for (byte b : bytes) bits = bits << 8 | b & 0xff;
        return new MacAddress(bits);
    }

    byte[] bytes() {
        byte[] bytes = new byte[6];
        for (int i = 0; i < 6; i++) bytes[i] = (byte) (bits >> 40 - 8 * i);
        return bytes;
    }

    @Override
    public String toString() {
        return COLONS.formatHex(bytes());
    }
}
