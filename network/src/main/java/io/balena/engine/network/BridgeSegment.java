package io.balena.engine.network;

import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.Sysctl;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A bridge of the machine, on which each container has a cable.
final class BridgeSegment implements Segment {
    private static final String FORWARDING_V6 = "net.ipv6.conf.all.forwarding";

    private final BridgeConfig config;
    private final BridgeLink bridge;
    private final BridgeClaim claim;
    private final ContainerLinks links;
    private final PublishedPorts published;
    private final Machine machine;
    private final String alias;
    private final boolean forwardsV6;

    private BridgeSegment(BridgeConfig config, BridgeLink bridge, BridgeClaim claim, ContainerLinks links, PublishedPorts published,
            Machine machine, String alias, boolean forwardsV6) {
        this.config = config;
        this.bridge = bridge;
        this.claim = claim;
        this.links = links;
        this.published = published;
        this.machine = machine;
        this.alias = alias;
        this.forwardsV6 = forwardsV6;
    }

    /// @param bridge as it was made or found
    /// @param networkId whose it is
    /// @throws IOException when another engine gives out the same addresses on the bridge
    static BridgeSegment of(BridgeConfig config, BridgeLink bridge, String networkId, NetworkHost host) throws IOException {
        var subnet = bridge.address().subnet();
        var range = config.fixedCidr().orElse(subnet);
        var claim = BridgeClaim.take(bridge.name(), range);
        var firewalls = new ArrayList<BridgeFirewall>();
        host.firewall(false).ifPresent(firewall -> firewalls.add(new BridgeFirewall(firewall, config.rules(subnet, range))));
        bridge.ipv6().flatMap(_ -> host.firewall(true)).ifPresent(firewall -> {
            var subnet6 = bridge.ipv6().get().subnet();
            firewalls.add(new BridgeFirewall(firewall, config.rules(subnet6, subnet6)));
        });
        return new BridgeSegment(config, bridge, claim, new ContainerLinks(host.machine(), bridge, networkId, host.alias()),
                new PublishedPorts(host.ports(), firewalls, config.hostBinding()), host.machine(), host.alias().ofNetwork(networkId),
                host.settings().ipForward() && bridge.ipv6().isPresent());
    }

    @Override
    public void open(List<Endpoint> endpoints) throws IOException {
        endpoints.forEach(published::resume);
        published.open(endpoints);
        if (forwardsV6) Sysctl.ensure(FORWARDING_V6, "1");
    }

    @Override
    public void connect(Endpoint endpoint, NetworkNamespace container, boolean wayOut) throws IOException {
        links.connect(endpoint, container, wayOut);
    }

    @Override
    public void disconnect(Endpoint endpoint, Optional<NetworkNamespace> container) throws IOException {
        links.disconnect(endpoint);
    }

    @Override
    public List<Endpoint> connected() throws IOException {
        return links.connected();
    }

    @Override
    public List<PortBinding> reserve(Endpoint endpoint, List<PortBinding> ports) throws IOException {
        return config.internal() ? List.of() : published.reserve(endpoint, ports);
    }

    @Override
    public void publish(Endpoint endpoint) throws IOException {
        published.publish(endpoint);
    }

    @Override
    public void withdraw(Endpoint endpoint) throws IOException {
        published.withdraw(endpoint);
    }

    @Override
    public void release(List<PortBinding> ports) {
        published.release(ports);
    }

    @Override
    public void remove() throws IOException {
        published.remove();
        BridgeLink.remove(bridge.name(), alias, machine.removing());
        claim.close();
    }

    @Override
    public void close() {
        claim.close();
    }
}
