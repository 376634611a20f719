package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;

/// An IPv4 address.
///
/// @param bits its four bytes, the first one highest
record Ipv4(int bits) {
    static final Ipv4 ANY = new Ipv4(0);

    /// Four decimal numbers and nothing else: no names, no octal, no short forms.
    ///
    /// @throws IllegalArgumentException for anything else
    static Ipv4 parse(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 4) throw new IllegalArgumentException("invalid IP address: " + text);
        int bits = 0;
        for (String part : parts) {
            if (!part.matches("0|[1-9][0-9]{0,2}") || Integer.parseInt(part) > 255) {
                throw new IllegalArgumentException("invalid IP address: " + text);
            }
            bits = bits << 8 | Integer.parseInt(part);
        }
        return new Ipv4(bits);
    }

    static Ipv4 of(Inet4Address address) {
        int bits = 0;
        for (byte b : address.getAddress()) bits = bits << 8 | b & 0xff;
        return new Ipv4(bits);
    }

    Inet4Address inet() {
        byte[] bytes = {(byte) (bits >> 24), (byte) (bits >> 16), (byte) (bits >> 8), (byte) bits};
        try {
            return (Inet4Address) InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new AssertionError("four bytes are an IPv4 address", e);
        }
    }

    /// The address Docker derives: locally administered (02), then `42`, then the four bytes. A container that gets the
    /// address of an earlier one gets its hardware address too, so that no neighbour's cache is wrong.
    MacAddress mac() {
        return new MacAddress(0x0242_0000_0000L | bits & 0xffff_ffffL);
    }

    @Override
    public String toString() {
        return (bits >>> 24) + "." + (bits >>> 16 & 255) + "." + (bits >>> 8 & 255) + "." + (bits & 255);
    }
}
