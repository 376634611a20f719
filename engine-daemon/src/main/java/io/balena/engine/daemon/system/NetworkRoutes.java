package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.NotSupported;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.daemon.network.DockerNetwork;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.network.BridgeConfig;
import io.balena.engine.network.BridgeNetwork;
import io.balena.engine.network.Endpoint;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Routes under `/networks`: the three networks that are always there, and those that Docker made in this data root, to look at. Networks
/// of one's own are yet to come.
public final class NetworkRoutes {
    private static final Set<String> FILTERS = Set.of("dangling", "driver", "id", "label", "name", "scope", "type");

    private final Optional<BridgeConfig> config;
    private final Optional<BridgeNetwork> bridge;
    private final List<DockerNetwork> others;
    private final Instant created = Instant.now();

    /// @param others that Docker made
    /// @param config and `bridge` are both empty when containers have no default network
    public NetworkRoutes(Optional<BridgeConfig> config, Optional<BridgeNetwork> bridge, List<DockerNetwork> others) {
        this.config = config;
        this.bridge = bridge;
        this.others = others;
    }

    public List<Route> table() {
        return List.of(
                get("/networks", this::list),
                get("/networks/{id}", this::inspect),
                Route.notYet("POST", "/networks/create", "any network besides bridge, host and none"),
                Route.notYet("POST", "/networks/{id}/connect", "changing the networks of a container"),
                Route.notYet("POST", "/networks/{id}/disconnect", "changing the networks of a container"),
                Route.post("/networks/prune", _ -> Response.json(java.util.Collections.singletonMap("NetworksDeleted", null))),
                Route.delete("/networks/{id}", this::remove));
    }

    private Response list(Request request) {
        Filters filters = request.filters();
        filters.allow(FILTERS);
        return Response.json(networks(false).stream().filter(network -> matches(network, filters)).toList());
    }

    private Response inspect(Request request) {
        return Response.json(find(request.path("id")));
    }

    private Response remove(Request request) {
        String name = (String) find(request.path("id")).get("Name");
        if (isOther(name)) throw new NotSupported("removing the network " + name + ", which Docker made,");
        return Response.json(403, Map.of("message", name + " is a pre-defined network and cannot be removed"));
    }

    private Map<String, Object> find(String nameOrId) {
        List<Map<String, Object>> networks = networks(true);
        return networks.stream().filter(network -> network.get("Name").equals(nameOrId) || network.get("Id").equals(nameOrId)).findFirst()
                .or(() -> networks.stream().filter(network -> ((String) network.get("Id")).startsWith(nameOrId)).findFirst())
                .orElseThrow(() -> new NotFound("network " + nameOrId + " not found"));
    }

    private boolean matches(Map<String, Object> network, Filters filters) {
        return (!filters.has("name") || filters.get("name").stream().anyMatch(((String) network.get("Name"))::contains))
                && (!filters.has("id") || filters.get("id").stream().anyMatch(((String) network.get("Id"))::startsWith))
                && (!filters.has("driver") || filters.get("driver").contains((String) network.get("Driver")))
                && (!filters.has("scope") || filters.get("scope").contains("local"))
                && (!filters.has("type") || filters.get("type").contains(isOther((String) network.get("Name")) ? "custom" : "builtin"))
                && filters.get("label").stream().allMatch(label -> hasLabel((Map<?, ?>) network.get("Labels"), label))
                && (!filters.has("dangling") || !filters.get("dangling").contains("true"));
    }

    /// @param withContainers lists do not name them
    private List<Map<String, Object>> networks(boolean withContainers) {
        List<Map<String, Object>> networks = new ArrayList<>();
        config.ifPresent(settings -> networks.add(bridge(settings, withContainers)));
        networks.add(network("host", "host", List.of(), Map.of(), Map.of()));
        networks.add(network("none", "null", List.of(), Map.of(), Map.of()));
        others.forEach(other -> networks.add(other(other)));
        return networks;
    }

    private boolean isOther(String name) {
        return others.stream().anyMatch(other -> other.name().equals(name));
    }

    private static boolean hasLabel(Map<?, ?> labels, String wanted) {
        int equals = wanted.indexOf('=');
        if (equals < 0) return labels.containsKey(wanted);
        return wanted.substring(equals + 1).equals(labels.get(wanted.substring(0, equals)));
    }

    private Map<String, Object> other(DockerNetwork other) {
        List<Map<String, String>> addresses = new ArrayList<>();
        for (DockerNetwork.Subnet subnet : other.subnets()) {
            Map<String, String> address = new LinkedHashMap<>();
            address.put("Subnet", subnet.subnet());
            if (!subnet.range().isEmpty()) address.put("IPRange", subnet.range());
            if (!subnet.gateway().isEmpty()) address.put("Gateway", subnet.gateway());
            addresses.add(address);
        }
        Map<String, Object> network = network(other.name(), other.driver(), addresses, Map.of(), other.options());
        network.put("IPAM", ipam(addresses, Map.of()));
        network.put("Id", other.id());
        network.put("Created", other.created());
        network.put("EnableIPv6", other.ipv6());
        network.put("Internal", other.internal());
        network.put("Attachable", other.attachable());
        network.put("Labels", other.labels());
        return network;
    }

    private Map<String, Object> bridge(BridgeConfig settings, boolean withContainers) {
        List<Map<String, String>> addresses = new ArrayList<>();
        Map<String, Object> containers = new LinkedHashMap<>();
        bridge.ifPresent(network -> {
            Map<String, String> address = new LinkedHashMap<>();
            address.put("Subnet", network.subnet());
            address.put("Gateway", network.gateway());
            addresses.add(address);
            if (withContainers) network.endpoints().forEach(endpoint -> containers.put(endpoint.containerId(), container(endpoint)));
        });
        Map<String, String> options = new LinkedHashMap<>();
        options.put("com.docker.network.bridge.default_bridge", "true");
        options.put("com.docker.network.bridge.enable_icc", Boolean.toString(settings.icc()));
        options.put("com.docker.network.bridge.enable_ip_masquerade", Boolean.toString(settings.ipMasquerade()));
        options.put("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0");
        options.put("com.docker.network.bridge.name", settings.name());
        options.put("com.docker.network.driver.mtu", Integer.toString(settings.mtu() == 0 ? 1500 : settings.mtu()));
        return network("bridge", "bridge", addresses, containers, options);
    }

    private static Map<String, String> container(Endpoint endpoint) {
        Map<String, String> container = new LinkedHashMap<>();
        container.put("Name", endpoint.containerId());
        container.put("EndpointID", endpoint.id());
        container.put("MacAddress", endpoint.macAddress());
        container.put("IPv4Address", endpoint.address() + "/" + endpoint.prefixLength());
        container.put("IPv6Address", "");
        return container;
    }

    private Map<String, Object> network(
            String name, String driver, List<Map<String, String>> addresses, Map<String, Object> containers, Map<String, String> options) {
        Map<String, Object> network = new LinkedHashMap<>();
        network.put("Name", name);
        network.put("Id", id(name));
        network.put("Created", created.toString());
        network.put("Scope", "local");
        network.put("Driver", driver);
        network.put("EnableIPv6", false);
        network.put("IPAM", ipam(addresses, null));
        network.put("Internal", false);
        network.put("Attachable", false);
        network.put("Ingress", false);
        network.put("ConfigFrom", Map.of("Network", ""));
        network.put("ConfigOnly", false);
        network.put("Containers", containers);
        network.put("Options", options);
        network.put("Labels", Map.of());
        return network;
    }

    private static Map<String, Object> ipam(List<Map<String, String>> addresses, Map<String, String> options) {
        Map<String, Object> ipam = new LinkedHashMap<>();
        ipam.put("Driver", "default");
        ipam.put("Options", options);
        ipam.put("Config", addresses);
        return ipam;
    }

    /// The id of a network that is always there: the same in every engine, so that none has to be kept.
    public static String id(String name) {
        return Digest.of(("network " + name).getBytes(UTF_8)).hex();
    }
}
