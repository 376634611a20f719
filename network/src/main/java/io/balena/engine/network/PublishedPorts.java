package io.balena.engine.network;

import io.balena.engine.linux.TrackedFlows;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;

/// All that makes a host port lead to a container on one bridge: the port itself, the rules, and the flows that were there before.
final class PublishedPorts {
    private static final Logger LOG = System.getLogger(PublishedPorts.class.getName());
    private static final int UDP = 17;

    private final HostPorts host;
    private final List<BridgeFirewall> firewalls;
    private final Ip elsewhere;

    /// @param firewalls of the families that have one: without any, ports are kept but lead nowhere
    /// @param elsewhere address of the machine on which ports are published that name none
    PublishedPorts(HostPorts host, List<BridgeFirewall> firewalls, Ip elsewhere) {
        this.host = host;
        this.firewalls = firewalls;
        this.elsewhere = elsewhere;
    }

    /// Keeps all of `wanted` from others, or none.
    ///
    /// @return the same with the ports chosen; those left out that no address of the endpoint can be reached at
    List<PortBinding> reserve(Endpoint endpoint, List<PortBinding> wanted) throws IOException {
        boolean v4 = endpoint.ipv4().isPresent();
        boolean v6 = endpoint.ipv6().isPresent() && firewalls.stream().anyMatch(BridgeFirewall::v6);
        return host.bind(endpoint.id(), wanted.stream().map(port -> port.of(v4, v6, elsewhere)).toList());
    }

    /// Takes up what an earlier daemon had published, before [#open].
    void resume(Endpoint endpoint) {
        for (PortBinding port : endpoint.ports()) {
            try {
                host.bind(endpoint.id(), List.of(List.of(port)));
            } catch (IOException e) {
                // The firewall still sends the port's traffic to the container.
                LOG.log(Level.WARNING, "published port of running container " + endpoint.containerId() + ": " + e.getMessage());
            }
        }
    }

    void open(List<Endpoint> endpoints) throws IOException {
        for (var firewall : firewalls) firewall.open(endpoints);
    }

    void publish(Endpoint endpoint) throws IOException {
        if (firewalls.isEmpty()) {
            if (!endpoint.ports().isEmpty()) {
                LOG.log(Level.WARNING, "the published ports of container " + endpoint.containerId()
                        + " lead nowhere: the engine makes no firewall rules on this machine");
            }
            return;
        }
        try {
            for (var firewall : firewalls) firewall.publish(endpoint);
        } catch (IOException e) {
            try {
                withdraw(endpoint);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
        forgetFlows(endpoint);
    }

    /// @throws IOException when rules may be left; the ports are still kept then
    void withdraw(Endpoint endpoint) throws IOException {
        if (firewalls.isEmpty()) return;
        for (var firewall : firewalls) firewall.withdraw(endpoint);
        forgetFlows(endpoint);
    }

    /// UDP has no connections: a sender that never pauses would be led to where its first packet went for ever, be it the
    /// address of a container long gone or this machine itself.
    private static void forgetFlows(Endpoint endpoint) {
        var published = endpoint.ports().stream().filter(port -> port.protocol().equals("udp")).map(PortBinding::hostPort).toList();
        if (published.isEmpty() || endpoint.address(false).isEmpty()) return;
        var container = endpoint.address(false).get().inet();
        try {
            TrackedFlows.forget(flow -> flow.protocol() == UDP && (published.contains(flow.port()) || flow.answers().equals(container)));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "flows to the ports of container " + endpoint.containerId() + " are left to time out", e);
        }
    }

    void release(List<PortBinding> ports) {
        host.release(ports);
    }

    /// Takes all rules of the bridge away.
    void remove() throws IOException {
        for (var firewall : firewalls) firewall.remove();
    }
}
