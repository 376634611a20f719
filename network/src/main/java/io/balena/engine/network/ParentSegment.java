package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Link;
import io.balena.engine.linux.LinkSlice;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.Rtnetlink;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// The wire of a link of the machine, which containers share by macvlan or ipvlan. The machine's firewall sees nothing of it, and
/// nothing is published: containers are hosts on the wire like any other.
final class ParentSegment implements Segment {
    private static final int LONGEST_VLAN = 4094;

    private final Machine machine;
    private final ParentConfig config;
    private final Link parent;
    private final String alias;

    private ParentSegment(Machine machine, ParentConfig config, Link parent, String alias) {
        this.machine = machine;
        this.config = config;
        this.parent = parent;
        this.alias = alias;
    }

    /// Finds the parent, or makes it: one that leads nowhere, or of a VLAN.
    ///
    /// @throws NetworkException in Docker's words when there is no such link, nor a VLAN to be made of its name
    static ParentSegment of(ParentConfig config, NetworkHost host, String networkId) throws IOException {
        var netlink = host.machine().adding();
        String alias = host.alias().ofNetwork(networkId);
        var existing = netlink.link(config.parent());
        Link parent = existing.isPresent() ? existing.get() : make(config, netlink, alias);
        if (!parent.up()) netlink.setUp(parent.index());
        return new ParentSegment(host.machine(), config, parent, alias);
    }

    private static Link make(ParentConfig config, Rtnetlink netlink, String alias) throws IOException {
        try {
            if (config.leadsNowhere()) netlink.addDummy(config.parent());
            else addVlan(config.parent(), netlink);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.EOPNOTSUPP) throw NetworkException.failed("operation not supported", e);
            throw e;
        }
        Link made = netlink.link(config.parent()).orElseThrow(() -> new IOException(config.parent() + " vanished while it was set up"));
        netlink.setAlias(made.index(), alias);
        return made;
    }

    private static void addVlan(String name, Rtnetlink netlink) throws IOException {
        String[] parts = name.split("\\.", -1);
        if (parts.length != 2 || !parts[1].matches("[0-9]{1,4}")) {
            throw NetworkException.failed("invalid subinterface vlan name " + name + ", example formatting is eth0.10");
        }
        int id = Integer.parseInt(parts[1]);
        if (id < 1 || id > LONGEST_VLAN) throw NetworkException.failed("vlan id must be between 1-4094, received: " + id);
        Link wire = netlink.link(parts[0])
                .orElseThrow(() -> NetworkException.failed("-o parent interface does was not found on the host: " + parts[0]));
        try {
            netlink.addVlan(name, wire.index(), id);
        } catch (ErrnoException e) {
            throw NetworkException.failed("failed to create " + name + " vlan link: " + e.errno().text().toLowerCase(Locale.ROOT), e);
        }
    }

    @Override
    public void connect(Endpoint endpoint, NetworkNamespace container, boolean wayOut) throws IOException {
        boolean hasOwnMac = config.mode() instanceof LinkSlice.Macvlan;
        var slice = new LinkSlice(endpoint.link(), parent.index(), config.mode(), hasOwnMac ? Optional.of(endpoint.mac()) : Optional.empty(),
                config.mtu());
        machine.adding().addSlice(slice, container);
        try {
            container.call(() -> {
                ContainerSide.configure(endpoint, wayOut);
                return null;
            });
        } catch (IOException | RuntimeException e) {
            try {
                disconnect(endpoint, Optional.of(container));
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /// Only from within: the machine does not see the link.
    @Override
    public void disconnect(Endpoint endpoint, Optional<NetworkNamespace> container) throws IOException {
        if (container.isEmpty()) return;
        container.get().call(() -> {
            try (var netlink = Rtnetlink.open()) {
                var link = netlink.link(endpoint.link());
                if (link.isPresent() && link.get().kind().equals(config.mode().kind())) netlink.delete(link.get().index());
            }
            return null;
        });
    }

    @Override
    public List<Endpoint> connected() {
        return List.of();
    }

    @Override
    public void open(List<Endpoint> endpoints) {}

    @Override
    public List<PortBinding> reserve(Endpoint endpoint, List<PortBinding> ports) {
        return List.of();
    }

    @Override
    public void publish(Endpoint endpoint) {}

    @Override
    public void withdraw(Endpoint endpoint) {}

    @Override
    public void release(List<PortBinding> ports) {}

    @Override
    public void remove() throws IOException {
        remove(config.parent(), alias, machine.removing());
    }

    /// Takes a parent away that was made for a network: one that was there before us stays.
    static void remove(String parent, String alias, Rtnetlink netlink) throws IOException {
        var link = netlink.link(parent);
        if (link.isEmpty() || !link.get().alias().equals(alias)) return;
        try {
            netlink.delete(link.get().index());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENODEV) throw e;
        }
    }

    @Override
    public void close() {}
}
