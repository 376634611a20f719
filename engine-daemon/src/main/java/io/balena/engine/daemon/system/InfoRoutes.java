package io.balena.engine.daemon.system;

import static io.balena.engine.daemon.http.Route.get;

import io.balena.engine.daemon.EngineConfig;
import io.balena.engine.daemon.EngineVersion;
import io.balena.engine.daemon.container.Runtimes;
import io.balena.engine.daemon.container.spec.AppArmor;
import io.balena.engine.daemon.container.spec.CgroupSupport;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Proxies;
import io.balena.engine.distribution.RegistryEndpoints;
import io.balena.engine.distribution.Rfc3339;
import java.io.File;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/// `GET /info`: what `docker info` shows.
public final class InfoRoutes {
    private final Supplier<EngineConfig> configuration;
    private final Inventory inventory;
    private final Events events;
    private final EngineId id;

    /// @param configuration may change
    public InfoRoutes(Supplier<EngineConfig> configuration, Inventory inventory, Events events) {
        this.configuration = configuration;
        this.inventory = inventory;
        this.events = events;
        this.id = new EngineId(configuration.get().dataRoot());
    }

    public List<Route> table() {
        return List.of(get("/info", this::info));
    }

    private Response info(Request request) throws Exception {
        EngineConfig config = configuration.get();
        Map<String, Object> info = new LinkedHashMap<>();
        Inventory.ContainerCounts containers = inventory.containers();
        info.put("ID", id.get());
        info.put("Containers", containers.all());
        info.put("ContainersRunning", containers.running());
        info.put("ContainersPaused", containers.paused());
        info.put("ContainersStopped", containers.stopped());
        info.put("Images", inventory.images());
        info.put("Driver", "overlay2");
        info.put("DriverStatus", inventory.driverStatus().stream().map(row -> List.of(row.getKey(), row.getValue())).toList());
        info.put("Plugins", plugins());
        CgroupSupport cgroups = CgroupSupport.ofThisMachine();
        cgroups.addTo(info);
        info.put("IPv4Forwarding", Machine.isOne("/proc/sys/net/ipv4/ip_forward"));
        info.put("BridgeNfIptables", Machine.isOne("/proc/sys/net/bridge/bridge-nf-call-iptables"));
        info.put("BridgeNfIp6tables", Machine.isOne("/proc/sys/net/bridge/bridge-nf-call-ip6tables"));
        info.put("Debug", config.debug());
        info.put("NFd", entries("/proc/self/fd"));
        // dockerd counts goroutines; threads are what this engine would run out of.
        info.put("NGoroutines", entries("/proc/self/task"));
        info.put("SystemTime", Rfc3339.text(Instant.now()));
        info.put("LoggingDriver", config.containers().host().log().driver());
        info.put("CgroupDriver", config.containers().spec().cgroups().toString());
        info.put("CgroupVersion", cgroups.version());
        info.put("NEventsListener", events.subscribers());
        addMachine(info);
        info.put("IndexServerAddress", "https://index.docker.io/v1/");
        info.put("RegistryConfig", registries(config));
        info.put("GenericResources", null);
        info.put("DockerRootDir", config.dataRoot().toString());
        Proxies proxies = config.registries().endpoints().proxies();
        info.put("HttpProxy", proxies.shownHttp());
        info.put("HttpsProxy", proxies.shownHttps());
        info.put("NoProxy", proxies.except());
        info.put("Name", Machine.hostName());
        info.put("Labels", config.labels());
        info.put("ExperimentalBuild", config.experimental());
        info.put("ServerVersion", EngineVersion.current().version());
        info.put("Runtimes", runtimes(config));
        info.put("DefaultRuntime", config.containers().host().runtime());
        if (request.version().atLeast(1, 44)) info.put("CDISpecDirs", config.containers().cdiSpecs().stream().map(Object::toString).toList());
        info.put("Swarm", swarm());
        info.put("LiveRestoreEnabled", config.containers().liveRestore());
        info.put("Isolation", "");
        info.put("InitBinary", config.containers().spec().init().shown());
        for (String part : List.of("ContainerdCommit", "RuncCommit", "InitCommit")) info.put(part, Map.of("ID", "", "Expected", ""));
        info.put("SecurityOptions", securityOptions(config, cgroups));
        info.put("Warnings", warnings(config, cgroups, info));
        return Response.json(info);
    }

    private static void addMachine(Map<String, Object> info) {
        info.put("KernelVersion", Machine.kernelVersion());
        info.put("OperatingSystem", Machine.osRelease("PRETTY_NAME"));
        info.put("OSVersion", Machine.osRelease("VERSION_ID"));
        info.put("OSType", "linux");
        info.put("Architecture", Machine.kernelArchitecture());
        info.put("NCPU", Runtime.getRuntime().availableProcessors());
        info.put("MemTotal", Machine.memoryBytes());
    }

    private static Map<String, Object> runtimes(EngineConfig config) {
        Map<String, Object> runtimes = new TreeMap<>();
        runtimes.put(Runtimes.STOCK, Map.of("path", "balena-engine-runc"));
        runtimes.put("io.containerd.runc.v2", Map.of("path", "balena-engine-runc"));
        config.containers().runtimes().others().forEach((name, command) -> {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("path", command.program());
            if (!command.arguments().isEmpty()) shown.put("runtimeArgs", command.arguments());
            runtimes.put(name, shown);
        });
        return runtimes;
    }

    private static Map<String, Object> plugins() {
        Map<String, Object> plugins = new LinkedHashMap<>();
        plugins.put("Volume", List.of("local"));
        plugins.put("Network", List.of("bridge", "host", "ipvlan", "macvlan", "null"));
        plugins.put("Authorization", null);
        plugins.put("Log", List.of("journald", "json-file", "local"));
        return plugins;
    }

    private static Map<String, Object> registries(EngineConfig config) {
        RegistryEndpoints endpoints = config.registries().endpoints();
        List<String> mirrors = endpoints.mirrors().stream().map(mirror -> mirror + "/").toList();
        Map<String, Object> indexes = new LinkedHashMap<>();
        for (String name : endpoints.insecure().names()) indexes.put(name, index(name, List.of(), false));
        indexes.put("docker.io", index("docker.io", mirrors, true));
        Map<String, Object> registries = new LinkedHashMap<>();
        registries.put("AllowNondistributableArtifactsCIDRs", List.of());
        registries.put("AllowNondistributableArtifactsHostnames", List.of());
        registries.put("InsecureRegistryCIDRs", endpoints.insecure().networks().stream().map(Object::toString).toList());
        registries.put("IndexConfigs", indexes);
        registries.put("Mirrors", mirrors);
        return registries;
    }

    private static Map<String, Object> index(String name, List<String> mirrors, boolean official) {
        return Map.of("Name", name, "Mirrors", mirrors, "Secure", official, "Official", official);
    }

    private static Map<String, Object> swarm() {
        Map<String, Object> swarm = new LinkedHashMap<>();
        swarm.put("NodeID", "");
        swarm.put("NodeAddr", "");
        swarm.put("LocalNodeState", "inactive");
        swarm.put("ControlAvailable", false);
        swarm.put("Error", "");
        swarm.put("RemoteManagers", null);
        return swarm;
    }

    private static List<String> securityOptions(EngineConfig config, CgroupSupport cgroups) {
        List<String> options = new ArrayList<>();
        if (AppArmor.ofThisHost().isEnabled()) options.add("name=apparmor");
        options.add("name=seccomp,profile=" + config.containers().spec().seccomp().shown());
        if (!config.owners().isNone()) options.add("name=userns");
        if (cgroups.version().equals("2")) options.add("name=cgroupns");
        return options;
    }

    private static List<String> warnings(EngineConfig config, CgroupSupport cgroups, Map<String, Object> info) {
        List<String> warnings = new ArrayList<>();
        for (String host : config.api().hosts()) {
            if (!host.startsWith("tcp://")) continue;
            warnings.add("WARNING: API is accessible on http://" + host.substring("tcp://".length()) + " without encryption.\n"
                    + "         Access to the remote API is equivalent to root access on the host.");
        }
        warnings.addAll(cgroups.warnings());
        if (info.get("IPv4Forwarding").equals(false)) warnings.add("WARNING: IPv4 forwarding is disabled");
        return warnings;
    }

    private static int entries(String folder) {
        String[] names = new File(folder).list();
        return names == null ? 0 : names.length;
    }
}
