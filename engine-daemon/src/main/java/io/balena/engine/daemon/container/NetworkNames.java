package io.balena.engine.daemon.container;

import io.balena.engine.dns.ContainerNames;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.NetworkObserver;
import io.balena.engine.network.Placement;
import io.balena.engine.network.PredefinedNetworks;
import io.balena.engine.network.Sandbox;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Tells the shim, which answers containers' questions for names, what each is called on networks of the user's own. On Docker's own
/// networks nobody has a name.
///
/// As with Docker, a container whose names cannot be seen to runs without them: it asks the servers outside itself.
final class NetworkNames implements NetworkObserver {
    private static final Logger LOG = System.getLogger(NetworkNames.class.getName());
    private static final List<String> WITHOUT_NAMES = PredefinedNetworks.NAMES.stream().map(PredefinedNetworks::id).toList();

    private final ContainerStore store;
    private final EtcFiles etc;
    private final Shim shim;

    NetworkNames(ContainerStore store, EtcFiles etc, Shim shim) {
        this.store = store;
        this.etc = etc;
        this.shim = shim;
    }

    @Override
    public void opened(Sandbox sandbox) {
        if (!named(sandbox).isEmpty()) tell(sandbox);
    }

    @Override
    public void changed(Sandbox sandbox) {
        tell(sandbox);
    }

    /// The shim sees for itself when a container ends.
    @Override
    public void closed(String containerId) {}

    private static List<Endpoint> named(Sandbox sandbox) {
        return sandbox.endpoints().stream().filter(endpoint -> !WITHOUT_NAMES.contains(endpoint.of().networkId())).toList();
    }

    private void tell(Sandbox sandbox) {
        Optional<ContainerRecord> record = store.get(sandbox.containerId()).map(Container::record);
        if (record.isEmpty()) return;
        List<Endpoint> endpoints = named(sandbox);
        try {
            if (endpoints.isEmpty()) {
                etc.resolveDirectly(record.get());
                shim.name(sandbox.containerId(), new byte[0]);
            } else {
                shim.name(sandbox.containerId(), names(record.get(), sandbox, endpoints).encode());
                etc.resolveThroughEngine(record.get());
            }
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Container {0} does not find others by their names: {1}", sandbox.containerId(), e.getMessage());
        }
    }

    private ContainerNames names(ContainerRecord record, Sandbox sandbox, List<Endpoint> endpoints) {
        ResolverSettings settings = etc.resolver(record);
        // Whoever is on internal networks alone reaches nobody outside, by way of the engine neither.
        boolean shut = sandbox.endpoints().stream().allMatch(endpoint -> endpoint.of().internal());
        List<ContainerNames.Server> servers = new ArrayList<>();
        if (!shut) settings.serversOfEngine().forEach(server -> server(server).ifPresent(servers::add));
        return new ContainerNames(sandbox.containerId(), endpoints.stream().map(NetworkNames::membership).toList(), servers, settings.domainsWanted());
    }

    /// None for one that is no address, or has a zone, which is a link of the machine's.
    private static Optional<ContainerNames.Server> server(ResolverSettings.Server server) {
        try {
            return Optional.of(new ContainerNames.Server(InetAddress.ofLiteral(server.address()), server.ofMachine() && server.isLoopback()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static ContainerNames.Membership membership(Endpoint endpoint) {
        var of = endpoint.of();
        List<InetAddress> addresses = Stream.of(endpoint.ipv4(), endpoint.ipv6()).flatMap(Optional::stream).map(Placement::own)
                .map(own -> (InetAddress) own.address().inet()).toList();
        List<String> names = Stream.concat(of.names().stream(), Stream.of(of.containerId())).distinct().toList();
        Map<String, String> links = new LinkedHashMap<>();
        for (String link : of.links()) {
            int colon = link.lastIndexOf(':');
            links.put(colon < 0 ? link : link.substring(colon + 1), colon < 0 ? link : link.substring(0, colon));
        }
        return new ContainerNames.Membership(of.networkId(), of.networkName(), addresses, names, links);
    }
}
