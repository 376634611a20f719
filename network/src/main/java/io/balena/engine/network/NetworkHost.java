package io.balena.engine.network;

import io.balena.engine.linux.Sysctl;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Optional;
import java.util.stream.Stream;

/// What all networks of an engine share of the machine: conversations with the kernel, the firewall, ports.
final class NetworkHost implements AutoCloseable {
    private static final Logger LOG = System.getLogger(NetworkHost.class.getName());
    private static final String FORWARDING = "net.ipv4.ip_forward";

    private final Machine machine;
    private final FirewallSettings settings;
    private final LinkAlias alias;
    private final HostPorts ports;
    private final Optional<Firewall> firewall;
    private final Optional<Firewall> firewallV6;
    private Optional<FirewallWatch> watch = Optional.empty();

    private NetworkHost(Machine machine, FirewallSettings settings, LinkAlias alias) {
        this.machine = machine;
        this.settings = settings;
        this.alias = alias;
        this.firewall = settings.iptables() ? firewallOf(false) : Optional.empty();
        this.firewallV6 = settings.iptables() && settings.ip6tables() ? firewallOf(true) : Optional.empty();
        this.ports = new HostPorts(firewall.isPresent());
    }

    static NetworkHost open(FirewallSettings settings, LinkAlias alias) throws IOException {
        return new NetworkHost(Machine.open(), settings, alias);
    }

    private static Optional<Firewall> firewallOf(boolean v6) {
        var iptables = Iptables.find(v6);
        if (iptables.isEmpty()) {
            LOG.log(Level.WARNING, "Could not find " + (v6 ? "ip6tables" : "iptables") + ": containers are not protected, have no way out"
                    + " through this machine's address, and publish no ports");
        }
        return iptables.map(Firewall::new);
    }

    /// Makes a router of the machine, if the engine is to.
    ///
    /// The firewall first: never is the machine an open router, not even after a power cut right here.
    void forward() throws IOException {
        if (!settings.ipForward() || Sysctl.read(FORWARDING).equals("1")) return;
        if (firewall.isPresent()) firewall.get().dropForwarding();
        Sysctl.ensure(FORWARDING, "1");
    }

    Machine machine() {
        return machine;
    }

    FirewallSettings settings() {
        return settings;
    }

    LinkAlias alias() {
        return alias;
    }

    HostPorts ports() {
        return ports;
    }

    /// Empty when the engine is to leave it alone, or the machine has none.
    Optional<Firewall> firewall(boolean v6) {
        return v6 ? firewallV6 : firewall;
    }

    /// Has the firewalls wait while all networks are opened.
    void holdFirewalls() {
        firewall.ifPresent(Firewall::hold);
        firewallV6.ifPresent(Firewall::hold);
    }

    void releaseFirewalls() throws IOException {
        if (firewall.isPresent()) firewall.get().release();
        if (firewallV6.isPresent()) firewallV6.get().release();
    }

    /// Watches over the rules from now on.
    void watchFirewall() {
        watch = FirewallWatch.start(Stream.of(firewall, firewallV6).flatMap(Optional::stream).toList());
    }

    @Override
    public void close() {
        watch.ifPresent(FirewallWatch::close);
        ports.closeAll();
        machine.close();
    }
}
