package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// An engine's networks of which tests use the default bridge.
final class OneBridge implements AutoCloseable {
    private static final String ID = PredefinedNetworks.id(PredefinedNetworks.BRIDGE);

    private final Networks networks;
    private final Sandboxes sandboxes;

    private OneBridge(Networks networks) {
        this.networks = networks;
        this.sandboxes = new Sandboxes(networks, NetworkObserver.NONE);
    }

    static OneBridge open(BridgeSetup setup, Path state) throws IOException {
        var bridge = new BridgeConfig(setup.name(), setup.address().map(Cidr::parse), setup.fixedCidr().map(Subnet::parse), Optional.empty(),
                setup.mtu(), setup.masquerade(), setup.icc(), false, Ip.ANY, true);
        var config = new NetworksConfig(Optional.of(bridge), List.of(), DefaultPools.DOCKERS,
                new FirewallSettings(setup.ipForward(), setup.iptables(), false));
        return new OneBridge(Networks.open(config, state.resolveSibling(state.getFileName() + ".data"), state, List.of()));
    }

    Endpoint allocate(String container, Optional<String> mac, List<PortBinding> ports) throws IOException {
        var of = new Membership(ID, "bridge", false, container, container, List.of(), List.of(), 0);
        return sandboxes.reserve(List.of(new EndpointRequest(of, List.of(), mac.map(MacAddress::parse), "eth0", ports, List.of()))).getFirst();
    }

    void attach(Endpoint endpoint, int pid) throws IOException {
        sandboxes.attach(endpoint.containerId(), List.of(endpoint), pid);
    }

    void release(String container) throws IOException {
        sandboxes.leave(container);
    }

    List<Endpoint> endpoints() {
        return networks.endpoints(ID);
    }

    private Ipam.Pool pool() {
        return networks.all().stream().filter(record -> record.id().equals(ID)).findFirst().orElseThrow().ipam().pools().getFirst();
    }

    String subnet() {
        return pool().subnet().toString();
    }

    String gateway() {
        return pool().gateway().toString();
    }

    static String address(Endpoint endpoint) {
        return endpoint.ipv4().orElseThrow().own().address().toString();
    }

    @Override
    public void close() {
        networks.close();
    }
}
