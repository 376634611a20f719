package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.EndpointRequest;
import io.balena.engine.network.Membership;
import io.balena.engine.network.NetworkException;
import io.balena.engine.network.NetworkRecord;
import io.balena.engine.network.Networks;
import io.balena.engine.network.PortUnavailable;
import io.balena.engine.network.PredefinedNetworks;
import io.balena.engine.network.Sandboxes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// Puts containers on the networks they asked for.
final class Networking {
    private static final String LINK_PREFIX = "com.docker.network.container_iface_prefix";

    private final Networks networks;
    private final Sandboxes sandboxes;
    private final LegacyLinks links;

    Networking(Networks networks, Sandboxes sandboxes, LegacyLinks links) {
        this.networks = networks;
        this.sandboxes = sandboxes;
        this.links = links;
    }

    /// What a new container is on.
    ///
    /// @param asked the request's `NetworkingConfig.EndpointsConfig`; may be missing
    /// @throws InvalidRequest for an address that is none
    NetworkSettings initial(ContainerConfig config, HostConfig host, JsonNode asked) {
        PortRequests.of(config, host);
        Optional<String> main = networkOf(host.networkMode());
        if (main.isEmpty()) return NetworkSettings.none();
        NetworkSettings settings = NetworkSettings.none();
        if (asked.isEmpty()) asked = MissingNode.getInstance();
        for (var entry : asked.properties()) {
            String name = entry.getKey().equals("default") && host.networkMode() instanceof NetworkMode.Bridge ? main.get() : nameOf(entry.getKey());
            settings = settings.with(name, EndpointSettings.read(entry.getValue()).on(idOf(name)));
        }
        // Docker has it so: whoever names others only is on those only.
        if (settings.names().isEmpty()) settings = settings.with(main.get(), EndpointSettings.read(MissingNode.getInstance()).on(idOf(main.get())));
        if (config.macAddress().isPresent() && settings.on(main.get()).isPresent()) {
            settings = settings.with(main.get(), settings.on(main.get()).get().withMac(config.macAddress().get()));
        }
        return settings;
    }

    /// The name of the network a mode means; empty for that of another container.
    private Optional<String> networkOf(NetworkMode mode) {
        return switch (mode) {
            case NetworkMode.Bridge _ -> Optional.of(hasBridge() ? PredefinedNetworks.BRIDGE : PredefinedNetworks.NONE);
            case NetworkMode.Host _ -> Optional.of(PredefinedNetworks.HOST);
            case NetworkMode.None _ -> Optional.of(PredefinedNetworks.NONE);
            case NetworkMode.OfContainer _ -> Optional.empty();
            case NetworkMode.Named named -> Optional.of(nameOf(named.name()));
        };
    }

    private boolean hasBridge() {
        return networks.all().stream().anyMatch(network -> network.id().equals(PredefinedNetworks.id(PredefinedNetworks.BRIDGE)));
    }

    /// Of a network that need not be there yet: it is looked for again at the start.
    private String nameOf(String nameOrId) {
        try {
            return networks.find(nameOrId).name();
        } catch (NetworkException e) {
            return nameOrId;
        }
    }

    private String idOf(String name) {
        return PredefinedNetworks.NAMES.contains(name) ? PredefinedNetworks.id(name) : "";
    }

    /// Reserves addresses and ports, if it needs some.
    ///
    /// @throws NetworkException in Docker's words
    List<Endpoint> reserve(ContainerRecord container) throws IOException {
        if (container.config().networkDisabled()) return List.of();
        String main = networkOf(container.host().networkMode()).orElse("");
        // The network a container was made for comes first, and so is its eth0.
        List<String> names = new ArrayList<>(container.network().names());
        if (names.remove(main)) names.addFirst(main);
        List<EndpointRequest> wanted = new ArrayList<>();
        for (String name : names) {
            NetworkRecord network = find(name, container.network().on(name).orElseThrow());
            if (givesAddresses(network)) wanted.add(request(container, network, container.network().on(name).orElseThrow(), link(network, wanted)));
        }
        try {
            return sandboxes.reserve(wanted);
        } catch (PortUnavailable e) {
            throw new SystemFailure(e.messageFor(container.name()), e);
        }
    }

    private NetworkRecord find(String name, EndpointSettings settings) throws NetworkException {
        try {
            return networks.find(name);
        } catch (NetworkException e) {
            // Its name may be another's by now; its id is not.
            if (settings.networkId().isEmpty()) throw e;
            return networks.find(settings.networkId());
        }
    }

    private static boolean givesAddresses(NetworkRecord network) {
        return !network.driver().equals("host") && !network.driver().equals("null");
    }

    private static String link(NetworkRecord network, List<EndpointRequest> others) {
        return nextLink(network, others.stream().map(EndpointRequest::link).toList());
    }

    /// After the last one: a number that was another network's a moment ago would mislead.
    private static String nextLink(NetworkRecord network, List<String> taken) {
        String prefix = network.options().getOrDefault(LINK_PREFIX, "eth");
        int last = taken.stream().filter(link -> link.matches(Pattern.quote(prefix) + "[0-9]{1,6}"))
                .mapToInt(link -> Integer.parseInt(link.substring(prefix.length()))).max().orElse(-1);
        return prefix + (last + 1);
    }

    /// @throws InvalidRequest for wishes that such a network does not fulfil
    private EndpointRequest request(ContainerRecord container, NetworkRecord network, EndpointSettings settings, String link) {
        boolean userDefined = !network.predefined();
        if (!settings.addresses().isEmpty()) {
            if (!userDefined) throw new InvalidRequest("user specified IP address is supported on user defined networks only");
            for (var address : settings.addresses()) {
                if (network.ipam().asked().stream().noneMatch(config -> !config.subnet().isEmpty() && config.subnet().contains(":") == address.v6())) {
                    throw new InvalidRequest("user specified IP address is supported only when connecting to networks with user configured subnets");
                }
            }
        }
        List<String> aliases = new ArrayList<>(settings.aliases());
        if (!userDefined && !aliases.isEmpty()) {
            throw new InvalidRequest("network-scoped alias is supported only for containers in user defined networks");
        }
        if (userDefined && !aliases.contains(container.id().shortHex())) aliases.add(container.id().shortHex());
        var of = new Membership(network.id(), network.name(), network.internal(), container.id().hex(), container.name(), List.copyOf(aliases),
                settings.links(), settings.gatewayPriority());
        return new EndpointRequest(of, settings.addresses(), mac(settings), link, PortRequests.of(container.config(), container.host()),
                isOpenWithin(network) ? List.of() : links.peers(container));
    }

    /// Whether containers on it reach each other anyhow.
    private static boolean isOpenWithin(NetworkRecord network) {
        return !network.options().getOrDefault("com.docker.network.bridge.enable_icc", "true").equals("false");
    }

    private static Optional<MacAddress> mac(EndpointSettings settings) {
        try {
            return settings.mac().map(MacAddress::parse);
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    void attach(ContainerRecord container, List<Endpoint> endpoints, int pid) throws IOException {
        try {
            sandboxes.attach(container.id().hex(), endpoints, pid);
        } catch (PortUnavailable e) {
            throw new SystemFailure(e.messageFor(container.name()), e);
        }
    }

    /// Puts a running container on one more network.
    Endpoint connect(ContainerRecord container, NetworkRecord network, EndpointSettings settings) throws IOException {
        List<String> taken = sandboxes.endpoints(container.id().hex()).stream().map(Endpoint::link).toList();
        try {
            return sandboxes.connect(request(container, network, settings, nextLink(network, taken)));
        } catch (PortUnavailable e) {
            throw new SystemFailure(e.messageFor(container.name()), e);
        }
    }

    /// Checks what [#connect] would, for a container that does not run.
    void validate(ContainerRecord container, NetworkRecord network, EndpointSettings settings) {
        request(container, network, settings, "eth0");
    }

    void disconnect(ContainerRecord container, NetworkRecord network) throws IOException {
        sandboxes.disconnect(container.id().hex(), network, PortRequests.of(container.config(), container.host()));
    }

    /// Takes a running container, which is yet to be taken up, off a network that it was never told to be on.
    void undo(ContainerRecord container, Endpoint endpoint) throws IOException {
        sandboxes.undo(container.id().hex(), container.state().pid(), endpoint);
    }

    void release(ContainerId id) throws IOException {
        sandboxes.leave(id.hex());
    }

    void rename(ContainerId id, String name) throws IOException {
        sandboxes.rename(id.hex(), name);
    }

    /// Takes up a container that runs since before the engine.
    void resume(ContainerRecord container) {
        sandboxes.resume(container.id().hex(), container.state().pid());
    }

    List<Endpoint> endpoints(ContainerId id) {
        return sandboxes.endpoints(id.hex());
    }

    /// All endpoints of all containers.
    List<Endpoint> endpoints() {
        return networks.all().stream().flatMap(network -> networks.endpoints(network.id()).stream()).toList();
    }

    /// The driver of the network that an endpoint is in, for events.
    String driver(Endpoint endpoint) {
        return networks.all().stream().filter(network -> network.id().equals(endpoint.of().networkId())).map(NetworkRecord::driver).findFirst().orElse("");
    }
}
