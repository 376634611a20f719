package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.network.PortBinding;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// The ports that a container exposes, and those it is to have of the machine.
final class PortRequests {
    private static final Set<String> PROTOCOLS = Set.of("tcp", "udp", "sctp");

    private PortRequests() {}

    /// All ports that are exposed or published, as `80/tcp`.
    static List<String> exposed(ContainerRecord container) {
        Set<String> all = new LinkedHashSet<>(container.config().exposedPorts().stream().map(PortRequests::withProtocol).toList());
        for (var binding : container.host().portBindings().properties()) all.add(withProtocol(binding.getKey()));
        return List.copyOf(all);
    }

    private static String withProtocol(String port) {
        return port.contains("/") ? port : port + "/tcp";
    }

    /// @throws InvalidRequest in Docker's words
    static List<PortBinding> of(ContainerConfig config, HostConfig host) {
        List<PortBinding> all = new ArrayList<>();
        for (var entry : host.portBindings().properties()) {
            for (JsonNode binding : entry.getValue()) {
                all.add(binding(entry.getKey(), binding.path("HostIp").asText(""), binding.path("HostPort").asText("")));
            }
            if (entry.getValue().isEmpty()) all.add(binding(entry.getKey(), "", ""));
        }
        if (host.publishAllPorts()) {
            for (String port : config.exposedPorts()) if (!host.portBindings().has(port)) all.add(binding(port, "", ""));
        }
        return all;
    }

    /// A range of host ports means any one of them.
    private static PortBinding binding(String port, String address, String hostPort) {
        String[] parts = withProtocol(port).split("/", 2);
        if (!PROTOCOLS.contains(parts[1])) throw new InvalidRequest("invalid port specification: \"" + port + "\"");
        int dash = hostPort.indexOf('-');
        int first = hostPort.isEmpty() ? 0 : number(hostPort, dash < 0 ? hostPort : hostPort.substring(0, dash), 0);
        int last = dash < 0 ? first : number(hostPort, hostPort.substring(dash + 1), first);
        try {
            return new PortBinding(parts[1], number(port, parts[0], 1), address, first, last);
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    private static int number(String specification, String text, int least) {
        try {
            int number = Integer.parseInt(text);
            if (number >= least && number <= 65535) return number;
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new InvalidRequest("invalid port specification: \"" + specification + "\"");
    }
}
