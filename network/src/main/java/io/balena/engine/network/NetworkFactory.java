package io.balena.engine.network;

import io.balena.engine.network.address.AddressPool;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;

/// Makes networks of records: what is in the kernel already is taken over.
final class NetworkFactory {
    private static final Logger LOG = System.getLogger(NetworkFactory.class.getName());

    private final NetworkHost host;
    private final AddressSpace space;
    private final Path state;

    /// @param state where endpoints are kept; on a tmpfs
    NetworkFactory(NetworkHost host, AddressSpace space, Path state) {
        this.host = host;
        this.space = space;
        this.state = state;
    }

    /// @throws NetworkException in Docker's words
    AddressedNetwork open(NetworkRecord record) throws IOException {
        Segment segment = segment(record);
        try {
            var gateways = new LinkedHashMap<AddressPool, Optional<Ip>>();
            boolean onTheWire = segment instanceof ParentSegment && ParentConfig.of(record).routesItself();
            for (Ipam.Pool pool : record.ipam().pools()) {
                Ip gateway = onTheWire ? (pool.v6() ? Ip.ANY_V6 : Ip.ANY) : pool.gateway();
                gateways.put(addresses(pool), Optional.ofNullable(gateway));
            }
            boolean ownAddresses = record.ipam().asked().stream().anyMatch(config -> !config.subnet().isEmpty());
            return new AddressedNetwork(record.name(), gateways, ownAddresses, segment, host.machine().namespace(), state.resolve(record.id()));
        } catch (IOException | RuntimeException e) {
            segment.close();
            throw e;
        }
    }

    private static AddressPool addresses(Ipam.Pool pool) {
        var addresses = new AddressPool(pool.subnet(), pool.range());
        if (pool.gateway() != null) addresses.reserve(pool.gateway());
        pool.reserved().forEach(addresses::reserve);
        return addresses;
    }

    private Segment segment(NetworkRecord record) throws IOException {
        return switch (record.driver()) {
            case "bridge" -> bridge(record);
            case "macvlan", "ipvlan" -> ParentSegment.of(ParentConfig.of(record), host, record.id());
            default -> throw NetworkException.notFound("plugin \"" + record.driver() + "\" not found");
        };
    }

    private BridgeSegment bridge(NetworkRecord record) throws IOException {
        BridgeConfig config = BridgeConfig.of(record);
        String alias = host.alias().ofNetwork(record.id());
        var link = BridgeLink.ensure(config, new BridgeLink.Mark(alias, "br-" + record.shortId()), Optional::empty, host.machine().adding());
        // By this name it can only be the network's own, be it that Docker made it.
        if (link.name().equals("br-" + record.shortId())) link.claim(alias, host.machine().adding());
        link.prepare(config, host.settings());
        return BridgeSegment.of(config, link, record.id(), host);
    }

    /// Takes away what there may be of a network whose making or removing failed or was interrupted.
    void remove(NetworkRecord record) throws IOException {
        Files.deleteIfExists(state.resolve(record.id()));
        String alias = host.alias().ofNetwork(record.id());
        if (!record.driver().equals("bridge")) {
            ParentSegment.remove(ParentConfig.of(record).parent(), alias, host.machine().removing());
            return;
        }
        BridgeConfig config = BridgeConfig.of(record);
        for (Ipam.Pool pool : record.ipam().pools()) {
            var firewall = host.firewall(pool.v6());
            if (firewall.isPresent()) firewall.get().remove(config.rules(pool.subnet(), pool.subnet()));
        }
        BridgeLink.remove(config.name(), alias, host.machine().removing());
        // Its first name, which can be no other's.
        BridgeLink.remove("br-" + record.shortId(), "", host.machine().removing());
        BridgeLink.remove("br-" + record.shortId(), alias, host.machine().removing());
    }

    /// The bridge of containers that name no network, with the record that shows it.
    record DefaultNetwork(NetworkRecord record, AddressedNetwork network) {}

    DefaultNetwork openDefault(BridgeConfig config, NetworksConfig settings, String created) throws IOException {
        String id = PredefinedNetworks.id(PredefinedNetworks.BRIDGE);
        var link = BridgeLink.ensure(config, new BridgeLink.Mark(host.alias().ofNetwork(id), config.name()), this::choose, host.machine().adding());
        var segment = BridgeSegment.of(config, link, id, host);
        try {
            link.prepare(config, host.settings());
            Subnet subnet = link.address().subnet();
            var gateways = new LinkedHashMap<AddressPool, Optional<Ip>>();
            gateways.put(pool(link.address(), config.fixedCidr().orElse(subnet), settings), Optional.of(settings.gateway(false).orElse(link.address().address())));
            link.ipv6().ifPresent(own -> gateways.put(pool(own, own.subnet(), settings), Optional.of(settings.gateway(true).orElse(own.address()))));
            var network = new AddressedNetwork("bridge (" + link.name() + ")", gateways, false, segment, host.machine().namespace(), state.resolve(link.name()));
            return new DefaultNetwork(record(config, link, created), network);
        } catch (IOException | RuntimeException e) {
            segment.close();
            throw e;
        }
    }

    private AddressPool pool(Cidr own, Subnet range, NetworksConfig settings) {
        if (!own.subnet().contains(range)) {
            throw new IllegalArgumentException("fixed range " + range + " is not within the bridge's network " + own.subnet());
        }
        var pool = new AddressPool(own.subnet(), range);
        pool.reserve(own.address());
        settings.gateway(own.address().v6()).ifPresent(pool::reserve);
        return pool;
    }

    private Optional<Cidr> choose() {
        try {
            Subnet subnet = space.choose(false, BusySubnets.of(host.machine().adding()));
            space.release(subnet);
            LOG.log(Level.INFO, "Default bridge is assigned with an IP address " + subnet
                    + ". Daemon option --bip can be used to set a preferred IP address");
            return Optional.of(new Cidr(subnet.first().plus(1), subnet.prefixLength()));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "no network for the bridge", e);
            return Optional.empty();
        }
    }

    private static NetworkRecord record(BridgeConfig config, BridgeLink link, String created) {
        var options = new LinkedHashMap<String, String>();
        options.put(BridgeOption.DEFAULT.key(), "true");
        options.put(BridgeOption.ICC.key(), Boolean.toString(config.icc()));
        options.put(BridgeOption.MASQUERADE.key(), Boolean.toString(config.masquerade()));
        options.put(BridgeOption.HOST_BINDING.key(), config.hostBinding().toString());
        options.put(BridgeOption.NAME.key(), config.name());
        options.put(BridgeOption.MTU.key(), Integer.toString(link.mtu()));
        var pools = new ArrayList<Ipam.Pool>();
        Subnet subnet = link.address().subnet();
        pools.add(new Ipam.Pool(subnet, config.fixedCidr().orElse(subnet), link.address().address(), List.of()));
        link.ipv6().ifPresent(own -> pools.add(new Ipam.Pool(own.subnet(), own.subnet(), own.address(), List.of())));
        return PredefinedNetworks.record(PredefinedNetworks.BRIDGE, "bridge", created, List.copyOf(pools), Collections.unmodifiableMap(options));
    }
}
