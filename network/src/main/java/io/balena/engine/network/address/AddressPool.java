package io.balena.engine.network.address;

import java.util.BitSet;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/// The addresses of one network that containers get. Safe for use by many threads.
///
/// The lowest free one is given, as Docker does for bridges: a container that restarts usually finds its address again.
public final class AddressPool {
    /// A larger network than /8, or an IPv6 network, has more addresses than any machine has containers.
    private static final int MOST_BITS = 24;

    private final Subnet subnet;
    private final Subnet range;
    private final int size;
    /// One bit for each address of the range, counted from its first.
    private final BitSet used = new BitSet();
    /// What was asked for by name outside the range, counted from the subnet's first.
    private final Set<Ip> outside = new HashSet<>();

    /// @param range the part of `subnet` to give from; `subnet` itself for all
    public AddressPool(Subnet subnet, Subnet range) {
        this.subnet = subnet;
        this.range = range;
        this.size = 1 << Math.min(MOST_BITS, range.first().bits() - range.prefixLength());
        reserve(subnet.first());
        // IPv6 has no broadcast, but Docker gives out neither end of a network all the same.
        reserve(subnet.last());
    }

    public Subnet subnet() {
        return subnet;
    }

    public synchronized Optional<Ip> allocate() {
        int free = used.nextClearBit(0);
        if (free >= size) return Optional.empty();
        used.set(free);
        return Optional.of(range.first().plus(free));
    }

    /// Takes a given address.
    ///
    /// @return whether it was free
    public synchronized boolean reserve(Ip address) {
        int bit = bit(address);
        if (bit < 0) return outside.add(address);
        boolean free = !used.get(bit);
        used.set(bit);
        return free;
    }

    public synchronized void release(Ip address) {
        int bit = bit(address);
        if (bit >= 0) used.clear(bit);
        else outside.remove(address);
    }

    /// -1 for an address that is never given unless it is asked for.
    private int bit(Ip address) {
        if (!range.contains(address)) return -1;
        long bit = address.low() - range.first().low();
        boolean near = address.high() == range.first().high() && bit >= 0 && bit < size;
        return near ? (int) bit : -1;
    }
}
