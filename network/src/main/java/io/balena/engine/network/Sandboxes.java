package io.balena.engine.network;

import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;

/// Which containers are on which networks.
///
/// The caller sees to it that nothing else happens to a container while one of these methods is about it.
public final class Sandboxes {
    private static final Logger LOG = System.getLogger(Sandboxes.class.getName());
    private static final Comparator<Endpoint> BY_LINK = Comparator.comparing((Endpoint endpoint) -> endpoint.link().length())
            .thenComparing(Endpoint::link);

    private final Networks networks;
    private final NetworkObserver observer;
    /// Of a process in each container's namespace.
    private final Map<String, Integer> pids = new ConcurrentHashMap<>();

    public Sandboxes(Networks networks, NetworkObserver observer) {
        this.networks = networks;
        this.observer = observer;
    }

    /// Reserves addresses on networks, and ports on the one that leads out. All or nothing.
    ///
    /// @param wanted with their ports, which count only where the container's default route leads
    /// @return in the order asked for
    public List<Endpoint> reserve(List<EndpointRequest> wanted) throws IOException {
        var done = new ArrayList<Endpoint>();
        try {
            for (EndpointRequest request : wanted) done.add(carrier(request).allocate(request.withoutPorts()));
            var gateway = Sandbox.gateway(done);
            if (gateway.isPresent()) {
                int index = done.indexOf(gateway.get());
                List<PortBinding> ports = wanted.get(index).ports();
                if (!ports.isEmpty()) done.set(index, carrier(wanted.get(index)).reserve(gateway.get().containerId(), ports));
            }
            return List.copyOf(done);
        } catch (IOException | RuntimeException e) {
            for (Endpoint endpoint : done) releaseQuietly(endpoint, e);
            throw e;
        }
    }

    private AddressedNetwork carrier(EndpointRequest request) throws IOException {
        return networks.carrier(networks.find(request.of().networkId()));
    }

    private void releaseQuietly(Endpoint endpoint, Exception why) {
        try {
            for (var network : networks.carriersOf(endpoint.containerId())) network.release(endpoint.containerId(), Optional.empty());
        } catch (IOException | RuntimeException e) {
            why.addSuppressed(e);
        }
    }

    /// Makes the links of a container that has reserved its endpoints, and publishes its ports.
    ///
    /// What is there after a failure goes with [#leave].
    ///
    /// @param pid of a process in its namespace
    public void attach(String containerId, List<Endpoint> endpoints, int pid) throws IOException {
        var gateway = Sandbox.gateway(endpoints);
        for (Endpoint endpoint : endpoints) {
            networks.carrier(networks.find(endpoint.of().networkId())).attach(endpoint, pid, gateway.equals(Optional.of(endpoint)));
        }
        pids.put(containerId, pid);
        observer.opened(new Sandbox(containerId, pid, endpoints));
    }

    /// Takes up a container that an earlier daemon has attached.
    public void resume(String containerId, int pid) {
        pids.put(containerId, pid);
        try {
            observer.opened(sandbox(containerId, pid));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "names of container " + containerId + ": " + e.getMessage());
        }
    }

    /// Puts a running container on one more network.
    ///
    /// @param ports to publish, if its default route now leads through this network
    public Endpoint connect(EndpointRequest request) throws IOException {
        String containerId = request.of().containerId();
        int pid = pid(containerId).orElseThrow(() -> new IOException("container " + containerId + " has no network namespace"));
        List<Endpoint> before = endpoints(containerId);
        var network = carrier(request);
        Endpoint endpoint = network.allocate(request.withoutPorts());
        try {
            network.attach(endpoint, pid, false);
            moveGateway(Sandbox.gateway(before), containerId, pid, request.ports());
        } catch (IOException | RuntimeException e) {
            try (var namespace = NetworkNamespace.ofProcess(pid)) {
                network.release(containerId, Optional.of(namespace));
                moveGateway(Optional.of(endpoint), containerId, pid, request.ports());
            } catch (IOException | RuntimeException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
        observer.changed(sandbox(containerId, pid));
        return network.endpoint(containerId).orElse(endpoint);
    }

    /// Takes a running container off a network.
    ///
    /// @param ports to publish on the network through which its default route leads then
    public void disconnect(String containerId, NetworkRecord from, List<PortBinding> ports) throws IOException {
        int pid = pid(containerId).orElseThrow(() -> new IOException("container " + containerId + " has no network namespace"));
        var gateway = Sandbox.gateway(endpoints(containerId));
        try (var namespace = NetworkNamespace.ofProcess(pid)) {
            networks.carrier(from).release(containerId, Optional.of(namespace));
        }
        moveGateway(gateway, containerId, pid, ports);
        observer.changed(sandbox(containerId, pid));
    }

    /// After the networks of a container have changed: its default routes, and its published ports, follow.
    private void moveGateway(Optional<Endpoint> before, String containerId, int pid, List<PortBinding> ports) throws IOException {
        List<Endpoint> now = endpoints(containerId);
        var gateway = Sandbox.gateway(now);
        if (gateway.map(Endpoint::id).equals(before.map(Endpoint::id))) return;
        if (before.isPresent() && now.stream().anyMatch(each -> each.id().equals(before.get().id()))) {
            networks.carrier(networks.find(before.get().of().networkId())).withdraw(containerId);
        }
        try (var namespace = NetworkNamespace.ofProcess(pid)) {
            ContainerSide.leadThrough(namespace, gateway);
        }
        if (gateway.isPresent() && !ports.isEmpty()) {
            networks.carrier(networks.find(gateway.get().of().networkId())).publish(containerId, ports);
        }
    }

    /// Takes a running container, which is yet to be taken up, off a network that it was never recorded to be on.
    public void undo(String containerId, int pid, Endpoint endpoint) throws IOException {
        pids.put(containerId, pid);
        var ports = Sandbox.gateway(endpoints(containerId)).filter(endpoint::equals).map(Endpoint::ports).orElse(List.of());
        disconnect(containerId, networks.find(endpoint.of().networkId()), ports);
    }

    /// Takes a container off all its networks. Does nothing when it is on none. Goes on when one cannot be left.
    ///
    /// @throws IOException when something is left; the next call tries again
    public void leave(String containerId) throws IOException {
        if (pids.remove(containerId) != null) observer.closed(containerId);
        IOException failure = null;
        for (var network : networks.carriersOf(containerId)) {
            try {
                network.release(containerId, Optional.empty());
            } catch (IOException e) {
                if (failure == null) failure = e;
                else failure.addSuppressed(e);
            }
        }
        if (failure != null) throw failure;
    }

    /// Others find a running container under another name from now on.
    public void rename(String containerId, String name) throws IOException {
        for (var network : networks.carriersOf(containerId)) network.rename(containerId, name);
        OptionalInt pid = pid(containerId);
        if (pid.isPresent()) observer.changed(sandbox(containerId, pid.getAsInt()));
    }

    private OptionalInt pid(String containerId) {
        Integer pid = pids.get(containerId);
        return pid == null ? OptionalInt.empty() : OptionalInt.of(pid);
    }

    private Sandbox sandbox(String containerId, int pid) {
        return new Sandbox(containerId, pid, endpoints(containerId));
    }

    /// In the order of their links.
    public List<Endpoint> endpoints(String containerId) {
        return networks.carriersOf(containerId).stream().map(network -> network.endpoint(containerId)).flatMap(Optional::stream)
                .sorted(BY_LINK).toList();
    }
}
