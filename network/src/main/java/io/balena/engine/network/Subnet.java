package io.balena.engine.network;

/// An IPv4 network.
///
/// @param first its lowest address, all host bits zero
/// @param prefixLength 0 to 32
record Subnet(Ipv4 first, int prefixLength) {
    Subnet {
        if ((first.bits() & ~mask(prefixLength)) != 0) throw new IllegalArgumentException("host bits set: " + first + "/" + prefixLength);
    }

    /// @throws IllegalArgumentException unless `text` is the network's first address and its prefix length
    static Subnet parse(String text) {
        var parsed = Ipv4Interface.parse(text);
        if (!parsed.address().equals(parsed.subnet().first())) {
            throw new IllegalArgumentException("invalid network " + text + ": it should be " + parsed.subnet());
        }
        return parsed.subnet();
    }

    static Subnet around(Ipv4 address, int prefixLength) {
        return new Subnet(new Ipv4(address.bits() & mask(prefixLength)), prefixLength);
    }

    Ipv4 last() {
        return new Ipv4(first.bits() | ~mask(prefixLength));
    }

    boolean contains(Ipv4 address) {
        return (address.bits() & mask(prefixLength)) == first.bits();
    }

    boolean contains(Subnet other) {
        return other.prefixLength >= prefixLength && contains(other.first);
    }

    boolean overlaps(Subnet other) {
        return contains(other.first) || other.contains(first);
    }

    private static int mask(int prefixLength) {
        return prefixLength == 0 ? 0 : -1 << 32 - prefixLength;
    }

    @Override
    public String toString() {
        return first + "/" + prefixLength;
    }
}
