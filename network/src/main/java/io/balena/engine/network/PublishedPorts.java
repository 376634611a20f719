package io.balena.engine.network;

import io.balena.engine.linux.TrackedFlows;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Optional;

/// All that makes a host port lead to a container: the port itself, the rules, and the flows that were there before.
final class PublishedPorts implements AutoCloseable {
    private static final Logger LOG = System.getLogger(PublishedPorts.class.getName());
    private static final int UDP = 17;

    private final HostPorts host;
    private final Optional<Firewall> firewall;

    /// @param firewall empty when the engine is to leave it alone: then ports are kept, but lead nowhere
    PublishedPorts(Optional<Firewall> firewall) {
        this.firewall = firewall;
        this.host = new HostPorts(firewall.isPresent());
    }

    /// Keeps all of `wanted` from others, or none.
    ///
    /// @return the same with the ports chosen
    List<PortBinding> reserve(String endpointId, List<PortBinding> wanted) throws IOException {
        return host.bind(endpointId, wanted);
    }

    /// Takes up what an earlier daemon had published, before [#open].
    void resume(Endpoint endpoint) {
        for (PortBinding port : endpoint.ports()) {
            try {
                host.bind(endpoint.id(), List.of(port));
            } catch (IOException e) {
                // The firewall still sends the port's traffic to the container.
                LOG.log(Level.WARNING, "published port of running container " + endpoint.containerId() + ": " + e.getMessage());
            }
        }
    }

    void open(List<Endpoint> endpoints, boolean forwardingIsNew) throws IOException {
        if (firewall.isPresent()) firewall.get().open(endpoints, forwardingIsNew);
    }

    void publish(Endpoint endpoint) throws IOException {
        if (firewall.isEmpty()) {
            if (!endpoint.ports().isEmpty()) {
                LOG.log(Level.WARNING, "the published ports of container " + endpoint.containerId()
                        + " lead nowhere: the engine makes no firewall rules on this machine");
            }
            return;
        }
        firewall.get().publish(endpoint);
        forgetFlows(endpoint);
    }

    /// @throws IOException when rules may be left; the ports are still kept then
    void withdraw(Endpoint endpoint) throws IOException {
        if (firewall.isEmpty()) return;
        firewall.get().withdraw(endpoint);
        forgetFlows(endpoint);
    }

    /// UDP has no connections: a sender that never pauses would be led to where its first packet went for ever, be it the
    /// address of a container long gone or this machine itself.
    private static void forgetFlows(Endpoint endpoint) {
        var published = endpoint.ports().stream().filter(port -> port.protocol().equals("udp")).map(PortBinding::hostPort).toList();
        if (published.isEmpty()) return;
        var container = Ipv4.parse(endpoint.address()).inet();
        try {
            TrackedFlows.forget(flow -> flow.protocol() == UDP && (published.contains(flow.port()) || flow.answers().equals(container)));
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "flows to the ports of container " + endpoint.containerId() + " are left to time out", e);
        }
    }

    void release(List<PortBinding> ports) {
        host.release(ports);
    }

    /// Gives the ports back; the rules stay.
    @Override
    public void close() {
        host.closeAll();
    }
}
