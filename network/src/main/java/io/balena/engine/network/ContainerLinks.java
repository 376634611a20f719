package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.VethPair;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// The cables between a bridge and its containers: `veth<7 digits of the endpoint's id>` on the bridge, `eth0` or so inside.
final class ContainerLinks {
    private final Machine machine;
    private final BridgeLink bridge;
    private final String network;
    private final LinkAlias alias;

    ContainerLinks(Machine machine, BridgeLink bridge, String network, LinkAlias alias) {
        this.machine = machine;
        this.bridge = bridge;
        this.network = network;
        this.alias = alias;
    }

    /// Makes both ends and has everything inside ready before the container's program starts.
    void connect(Endpoint endpoint, NetworkNamespace container, boolean wayOut) throws IOException {
        var netlink = machine.adding();
        netlink.addVeth(new VethPair(nameOf(endpoint), bridge.index(), endpoint.link(), endpoint.mac(), bridge.mtu()), container);
        try {
            netlink.enableBridgePort(nameOf(endpoint), alias.of(endpoint));
            container.call(() -> {
                ContainerSide.configure(endpoint, wayOut);
                return null;
            });
            ContainerSide.awaitRunning(netlink, nameOf(endpoint));
            ContainerSide.awaitRunning(netlink, bridge.name());
        } catch (IOException | RuntimeException e) {
            try {
                disconnect(endpoint);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /// Removes both ends. They are gone already when the container's namespace is.
    void disconnect(Endpoint endpoint) throws IOException {
        var netlink = machine.removing();
        var link = netlink.link(nameOf(endpoint));
        // Seven digits can be equal by chance; the link of another engine's container is left alone.
        if (link.isEmpty() || !link.get().alias().isEmpty() && !link.get().alias().equals(alias.of(endpoint))) return;
        try {
            netlink.delete(link.get().index());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENODEV) throw e;
        }
    }

    /// Endpoints of this engine as far as the links on the bridge tell.
    List<Endpoint> connected() throws IOException {
        return machine.adding().links().stream().filter(link -> link.master() == bridge.index())
                .map(link -> alias.endpoint(link.alias(), network, bridge.address())).flatMap(Optional::stream).toList();
    }

    private static String nameOf(Endpoint endpoint) {
        return "veth" + endpoint.id().substring(0, 7);
    }
}
