package io.balena.engine.network;

import java.util.BitSet;
import java.util.Optional;

/// The addresses of one network that containers get. Safe for use by many threads.
///
/// The lowest free one is given, as Docker does for bridges: a container that restarts usually finds its address again.
final class AddressPool {
    private final Subnet range;
    private final int size;
    /// One bit for each address of the range, counted from its first.
    private final BitSet used = new BitSet();

    /// @param range the part of `subnet` to give from; `subnet` itself for all
    AddressPool(Subnet subnet, Subnet range) {
        this.range = range;
        // A larger network than /8 has more addresses than any machine has containers.
        this.size = 1 << Math.min(24, 32 - range.prefixLength());
        reserve(subnet.first());
        reserve(subnet.last());
    }

    synchronized Optional<Ipv4> allocate() {
        int free = used.nextClearBit(0);
        if (free >= size) return Optional.empty();
        used.set(free);
        return Optional.of(new Ipv4(range.first().bits() + free));
    }

    /// Takes a given address; one outside the range is nobody's to give and needs no taking.
    ///
    /// @return whether it was free
    synchronized boolean reserve(Ipv4 address) {
        int bit = bit(address);
        if (bit < 0) return true;
        boolean free = !used.get(bit);
        used.set(bit);
        return free;
    }

    synchronized void release(Ipv4 address) {
        int bit = bit(address);
        if (bit >= 0) used.clear(bit);
    }

    /// -1 for an address that is never given.
    private int bit(Ipv4 address) {
        long bit = (address.bits() & 0xffff_ffffL) - (range.first().bits() & 0xffff_ffffL);
        return bit >= 0 && bit < size ? (int) bit : -1;
    }
}
