package io.balena.engine.network;

import io.balena.engine.linux.BoundPort;
import io.balena.engine.linux.BoundPort.Protocol;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Sysctl;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The host's ports that containers have published, on whatever network. Safe for use by many threads.
///
/// Each is bound by a socket of ours, although the firewall redirects its traffic before any socket sees it: so that no other
/// process takes a published port, and none of theirs is published over.
final class HostPorts {
    private static final int ATTEMPTS_AT_RANDOM = 10;

    private record Key(String protocol, Ip address, int port) {
        static Key of(PortBinding binding) {
            return new Key(binding.protocol(), binding.host(), binding.hostPort());
        }

        boolean clashesWith(Key other) {
            return protocol.equals(other.protocol) && port == other.port
                    && address.v6() == other.address.v6()
                    && (address.equals(other.address) || address.isAny() || other.address.isAny());
        }
    }

    private final Map<Key, BoundPort> bound = new HashMap<>();
    private final boolean redirected;
    private final int lowestRandom;
    private final int highestRandom;
    private int nextRandom;

    /// @param redirected whether the firewall leads their traffic away before it reaches our sockets
    HostPorts(boolean redirected) {
        this.redirected = redirected;
        int lowest = 49153;
        int highest = 65535;
        try {
            String[] range = Sysctl.read("net.ipv4.ip_local_port_range").split("\\s+");
            lowest = Integer.parseInt(range[0]);
            highest = Integer.parseInt(range[1]);
        } catch (IOException | RuntimeException e) {
            // As Docker does: the range that IANA leaves to everyone.
        }
        this.lowestRandom = lowest;
        this.highestRandom = highest;
        this.nextRandom = lowest;
    }

    /// Binds all of `wanted` or none.
    ///
    /// @param wanted each inner list is one port on several addresses: a number that is chosen is the same on all
    /// @return the same with the ports chosen
    synchronized List<PortBinding> bind(String endpointId, List<List<PortBinding>> wanted) throws IOException {
        var chosen = new ArrayList<PortBinding>();
        try {
            for (List<PortBinding> everywhere : wanted) {
                if (everywhere.isEmpty()) continue;
                var first = everywhere.getFirst();
                boolean fixed = first.hostPort() != 0 && first.hostPort() == first.lastHostPort();
                chosen.addAll(fixed ? bindEach(endpointId, everywhere, first.hostPort()) : bindAny(endpointId, everywhere));
            }
            return List.copyOf(chosen);
        } catch (IOException | RuntimeException e) {
            release(chosen);
            throw e;
        }
    }

    private List<PortBinding> bindEach(String endpointId, List<PortBinding> everywhere, int port) throws PortUnavailable {
        var done = new ArrayList<PortBinding>();
        try {
            for (PortBinding binding : everywhere) done.add(bind(endpointId, binding.onHostPort(port)));
            return done;
        } catch (PortUnavailable | RuntimeException e) {
            release(done);
            throw e;
        }
    }

    /// One from the range that was asked for, or any that is free.
    private List<PortBinding> bindAny(String endpointId, List<PortBinding> everywhere) throws IOException {
        var first = everywhere.getFirst();
        boolean random = first.hostPort() == 0;
        int lowest = random ? lowestRandom : first.hostPort();
        int highest = random ? highestRandom : first.lastHostPort();
        int next = random ? nextRandom : lowest;
        int refused = 0;
        for (int i = 0; i <= highest - lowest; i++) {
            int port = next;
            next = next == highest ? lowest : next + 1;
            if (random) nextRandom = next;
            if (everywhere.stream().anyMatch(binding -> isOurs(binding.onHostPort(port)))) continue;
            try {
                return bindEach(endpointId, everywhere, port);
            } catch (PortUnavailable e) {
                boolean inUse = e.getCause() instanceof ErrnoException cause && cause.errno() == Errno.EADDRINUSE;
                if (!inUse || random && ++refused == ATTEMPTS_AT_RANDOM) throw e;
            }
        }
        throw new PortUnavailable(endpointId, "Bind for " + first.host() + ":" + first.hostPort() + " failed: "
                + (random ? "all ports are allocated" : "port is already allocated"), null);
    }

    private PortBinding bind(String endpointId, PortBinding binding) throws PortUnavailable {
        String socket = (binding.host().v6() ? "[" + binding.host() + "]" : binding.host()) + ":" + binding.hostPort();
        if (isOurs(binding)) throw new PortUnavailable(endpointId, "Bind for " + socket + " failed: port is already allocated", null);
        try {
            var protocol = Protocol.valueOf(binding.protocol().toUpperCase(Locale.ROOT));
            bound.put(Key.of(binding), BoundPort.open(protocol, binding.host().inet(), binding.hostPort(), redirected));
            return binding;
        } catch (IOException e) {
            throw new PortUnavailable(endpointId, words(binding, socket, e), e);
        }
    }

    private boolean isOurs(PortBinding binding) {
        var key = Key.of(binding);
        return bound.keySet().stream().anyMatch(key::clashesWith);
    }

    /// As Docker says it, e.g. `listen tcp4 0.0.0.0:80: bind: address already in use`.
    private static String words(PortBinding binding, String socket, IOException failure) {
        if (!(failure instanceof ErrnoException e)) return failure.getMessage();
        if (e.errno() == Errno.EPROTONOSUPPORT) return "protocol not supported";
        return "listen " + (binding.protocol().equals("sctp") ? "sctp" : binding.protocol() + (binding.host().v6() ? "6" : "4")) + " " + socket + ": " + e.call() + ": "
                + e.errno().text().toLowerCase(Locale.ROOT);
    }

    synchronized void release(List<PortBinding> bindings) {
        for (PortBinding binding : bindings) {
            var port = bound.remove(Key.of(binding));
            if (port != null) port.close();
        }
    }

    synchronized void closeAll() {
        bound.values().forEach(BoundPort::close);
        bound.clear();
    }
}
