package io.balena.engine.network;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// One bridge on the host and the containers on it.
///
/// Safe for use by many threads. Addresses in use survive a restart of the daemon in a state file.
public final class BridgeNetwork implements AutoCloseable {
    /// Makes or takes over the bridge, its address, forwarding and firewall rules.
    ///
    /// @param stateDirectory where addresses in use are kept, e.g. `<data-root>/network/files`
    public static BridgeNetwork open(BridgeConfig config, Path stateDirectory) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Reserves an address for a container that is about to be created.
    ///
    /// @param macAddress empty to derive one from the address
    public Endpoint allocate(String containerId, Optional<String> macAddress, List<PortBinding> ports) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Puts one end of a veth pair on the bridge and the other, as `eth0` with address and default route, into the network
    /// namespace of `pid`; publishes its ports.
    public void attach(Endpoint endpoint, int pid) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Takes a container off the bridge: link, rules, ports and address. Does nothing when it is not on it.
    public void release(String containerId) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Endpoints in use. After a restart the daemon releases those whose containers are gone.
    public List<Endpoint> endpoints() {
        throw new UnsupportedOperationException();
    }

    /// Network address with prefix length, e.g. `172.17.0.0/16`.
    public String subnet() {
        throw new UnsupportedOperationException();
    }

    public String gateway() {
        throw new UnsupportedOperationException();
    }

    /// Leaves bridge, rules and containers as they are.
    @Override
    public void close() {}
}
