package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// An engine's networks, as far as this module goes: with a default bridge, and folders of its own.
record OwnEngine(Networks networks, Sandboxes sandboxes) implements AutoCloseable {
    static OwnEngine open(Path folder) throws IOException {
        return open(folder, "balena0", new FirewallSettings(true, true, true));
    }

    static OwnEngine open(Path folder, String bridge, FirewallSettings firewall) throws IOException {
        var config = new NetworksConfig(Optional.of(BridgeConfig.named(bridge)), List.of(), DefaultPools.DOCKERS, firewall);
        var networks = Networks.open(config, folder.resolve("data"), folder.resolve("state"), List.of());
        return new OwnEngine(networks, new Sandboxes(networks, NetworkObserver.NONE));
    }

    static NetworkRequest request(String name, String... subnets) {
        return request(name, "bridge", Map.of(), subnets);
    }

    static NetworkRequest request(String name, String driver, Map<String, String> options, String... subnets) {
        var configs = Stream.of(subnets).map(subnet -> new Ipam.Config(subnet, "", "", Map.of())).toList();
        boolean ipv6 = configs.stream().anyMatch(Ipam.Config::v6);
        return new NetworkRequest(name, driver, ipv6, false, false, false, "", "default", Map.of(), configs, options, Map.of());
    }

    NetworkRecord create(String name, String... subnets) throws IOException {
        return networks.create(request(name, subnets));
    }

    static EndpointRequest wish(NetworkRecord network, String container, String link, PortBinding... ports) {
        return wish(network, container, link, List.of(), ports);
    }

    static EndpointRequest wish(NetworkRecord network, String container, String link, List<Ip> addresses, PortBinding... ports) {
        var of = new Membership(network.id(), network.name(), network.internal(), container, container, List.of(), List.of(), 0);
        return new EndpointRequest(of, addresses, Optional.<MacAddress>empty(), link, List.of(ports), List.of());
    }

    /// Reserves and attaches.
    List<Endpoint> start(String container, Host host, EndpointRequest... wishes) throws IOException {
        List<Endpoint> endpoints = sandboxes.reserve(List.of(wishes));
        sandboxes.attach(container, endpoints, host.pid());
        return endpoints;
    }

    static String address(Endpoint endpoint) {
        return endpoint.ipv4().orElseThrow().own().address().toString();
    }

    @Override
    public void close() {
        networks.close();
    }
}
