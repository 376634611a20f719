package io.balena.engine.network;

import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.AddressPool;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Makes pools of addresses of what somebody asked for, with Docker's words for what cannot be.
final class IpamPlanner {
    private final AddressSpace space;
    private final Rtnetlink netlink;

    IpamPlanner(AddressSpace space, Rtnetlink netlink) {
        this.space = space;
        this.netlink = netlink;
    }

    /// Takes what it gives from the address space; all of it or nothing.
    List<Ipam.Pool> plan(NetworkRequest request) throws IOException {
        var pools = new ArrayList<Ipam.Pool>();
        try {
            pools.add(plan(request, false));
            if (request.ipv6()) pools.add(plan(request, true));
            return List.copyOf(pools);
        } catch (IOException | RuntimeException e) {
            release(pools);
            throw e;
        }
    }

    void release(List<Ipam.Pool> pools) {
        pools.forEach(pool -> space.release(pool.subnet()));
    }

    private Ipam.Pool plan(NetworkRequest request, boolean v6) throws IOException {
        var subnets = new ArrayList<Ipam.Config>();
        for (Ipam.Config config : request.ipam()) {
            subnet(config);
            if (config.v6() == v6) subnets.add(config);
        }
        if (subnets.size() > 1) throw NetworkException.forbidden(request.driver() + " driver doesn't support multiple subnets");
        if (subnets.isEmpty()) {
            Subnet chosen = space.choose(v6, BusySubnets.of(netlink));
            return new Ipam.Pool(chosen, chosen, chosen.first().plus(1), List.of());
        }
        Ipam.Config config = subnets.getFirst();
        Subnet subnet = subnet(config);
        Subnet range = range(config, subnet);
        space.take(subnet);
        try {
            return pool(request.name(), config, subnet, range);
        } catch (NetworkException | RuntimeException e) {
            space.release(subnet);
            throw e;
        }
    }

    private static Ipam.Pool pool(String network, Ipam.Config config, Subnet subnet, Subnet range) throws NetworkException {
        var pool = new AddressPool(subnet, range);
        Ip gateway = config.gateway().isEmpty() ? null : address(config.gateway());
        if (gateway == null) {
            gateway = pool.allocate().orElseThrow(() -> NetworkException.failed("failed to allocate gateway (): No available addresses on this pool"));
        } else if (!subnet.contains(gateway) || !pool.reserve(gateway)) {
            throw NetworkException.failed("failed to allocate gateway (" + gateway + "): Requested address is out of range");
        }
        var reserved = new ArrayList<Ip>();
        for (Map.Entry<String, String> each : config.reserved().entrySet()) {
            reserved.add(reserved(network, each.getKey(), each.getValue(), subnet, pool));
        }
        return new Ipam.Pool(subnet, range, gateway, List.copyOf(reserved));
    }

    private static Ip reserved(String network, String name, String value, Subnet subnet, AddressPool pool) throws NetworkException {
        String shown = "(" + name + ":" + value + ")";
        Ip address;
        try {
            address = Ip.parse(value);
        } catch (IllegalArgumentException e) {
            throw NetworkException.failed("non parsable secondary ip address " + shown + " passed for network " + network);
        }
        if (!subnet.contains(address)) {
            throw NetworkException.forbidden("auxiliary address: " + shown + " must belong to the master pool: " + subnet);
        }
        if (!pool.reserve(address)) throw NetworkException.forbidden("failed to allocate secondary ip address " + shown + ": Address already in use");
        return address;
    }

    private static Subnet subnet(Ipam.Config config) throws NetworkException {
        try {
            return Cidr.parse(config.subnet()).subnet();
        } catch (IllegalArgumentException e) {
            throw NetworkException.failed("Invalid subnet " + config.subnet() + " : " + e.getMessage());
        }
    }

    private static Subnet range(Ipam.Config config, Subnet subnet) throws NetworkException {
        if (config.range().isEmpty()) return subnet;
        try {
            Subnet range = Cidr.parse(config.range()).subnet();
            if (subnet.contains(range)) return range;
        } catch (IllegalArgumentException e) {
            // Said below.
        }
        throw NetworkException.failed("failed to parse pool request for address space \"LocalDefault\" pool \"" + config.subnet()
                + "\" subpool \"" + config.range() + "\": Invalid Address SubPool");
    }

    private static Ip address(String gateway) throws NetworkException {
        try {
            return Ip.parse(gateway);
        } catch (IllegalArgumentException e) {
            throw NetworkException.failed("invalid gateway address " + gateway + " in Ipam configuration");
        }
    }
}
