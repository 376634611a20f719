package io.balena.engine.network.address;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/// An IPv4 or IPv6 network.
///
/// @param first its lowest address, all host bits zero
/// @param prefixLength 0 to 32, or to 128
public record Subnet(Ip first, int prefixLength) {
    public Subnet {
        if (!mask(first, prefixLength).equals(first)) throw new IllegalArgumentException("host bits set: " + first + "/" + prefixLength);
    }

    /// @throws IllegalArgumentException unless `text` is the network's first address and its prefix length
    @JsonCreator
    public static Subnet parse(String text) {
        var parsed = Cidr.parse(text);
        if (!parsed.address().equals(parsed.subnet().first())) {
            throw new IllegalArgumentException("invalid network " + text + ": it should be " + parsed.subnet());
        }
        return parsed.subnet();
    }

    public static Subnet around(Ip address, int prefixLength) {
        return new Subnet(mask(address, prefixLength), prefixLength);
    }

    public Ip last() {
        if (!first.v6()) return new Ip(false, 0, first.low() | ~v4Mask(prefixLength) & 0xffff_ffffL);
        return new Ip(true, first.high() | ~highMask(prefixLength), first.low() | ~lowMask(prefixLength));
    }

    public boolean contains(Ip address) {
        return address.v6() == first.v6() && mask(address, prefixLength).equals(first);
    }

    public boolean contains(Subnet other) {
        return other.prefixLength >= prefixLength && contains(other.first);
    }

    public boolean overlaps(Subnet other) {
        return contains(other.first) || other.contains(first);
    }

    private static Ip mask(Ip address, int prefixLength) {
        if (!address.v6()) return new Ip(false, 0, address.low() & v4Mask(prefixLength));
        return new Ip(true, address.high() & highMask(prefixLength), address.low() & lowMask(prefixLength));
    }

    private static long v4Mask(int prefixLength) {
        return prefixLength == 0 ? 0 : 0xffff_ffffL << 32 - prefixLength & 0xffff_ffffL;
    }

    private static long highMask(int prefixLength) {
        return prefixLength == 0 ? 0 : prefixLength >= 64 ? -1L : -1L << 64 - prefixLength;
    }

    private static long lowMask(int prefixLength) {
        return prefixLength <= 64 ? 0 : -1L << 128 - prefixLength;
    }

    @JsonValue
    @Override
    public String toString() {
        return first + "/" + prefixLength;
    }
}
