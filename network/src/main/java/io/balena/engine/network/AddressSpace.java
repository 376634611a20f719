package io.balena.engine.network;

import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Subnet;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/// Which subnets the networks of this engine have. No two overlap. Safe for use by many threads.
final class AddressSpace {
    private final DefaultPools pools;
    private final Set<Subnet> taken = new HashSet<>();

    AddressSpace(DefaultPools pools) {
        this.pools = pools;
    }

    /// @throws NetworkException when it overlaps with another
    synchronized void take(Subnet subnet) throws NetworkException {
        if (taken.stream().anyMatch(subnet::overlaps)) throw NetworkException.forbidden("Pool overlaps with other one on this address space");
        taken.add(subnet);
    }

    /// @param busy what this machine reaches otherwise
    synchronized Subnet choose(boolean v6, Collection<Subnet> busy) throws NetworkException {
        Subnet free = pools.firstFree(v6, pool -> taken.stream().noneMatch(pool::overlaps) && busy.stream().noneMatch(pool::overlaps))
                .orElseThrow(() -> NetworkException.notFound("could not find an available, non-overlapping " + (v6 ? "IPv6" : "IPv4")
                        + " address pool among the defaults to assign to the network"));
        taken.add(free);
        return free;
    }

    synchronized void release(Subnet subnet) {
        taken.remove(subnet);
    }
}
