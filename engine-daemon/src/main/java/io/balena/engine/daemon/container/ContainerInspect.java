package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.FieldHistory.since;
import static io.balena.engine.daemon.http.FieldHistory.until;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.container.health.Health;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.FieldHistory;
import io.balena.engine.distribution.Rfc3339;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.PredefinedNetworks;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// What `docker inspect` shows. Clients compare it with what they asked for, so its every `null` counts.
final class ContainerInspect {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /// Also of the rows of a list, as far as they have the same fields. In 1.42 limits went that no kernel has had since 5.4.
    static final FieldHistory HISTORY = FieldHistory.of(
            until(41, "HostConfig/KernelMemory"), until(41, "HostConfig/KernelMemoryTCP"),
            since(44, "NetworkSettings/Networks/*/DNSNames"),
            since(48, "NetworkSettings/Networks/*/GwPriority"));

    private final LayerStore layers;
    private final EtcFiles etc;
    private final Execs execs;

    ContainerInspect(LayerStore layers, EtcFiles etc, Execs execs) {
        this.layers = layers;
        this.etc = etc;
        this.execs = execs;
    }

    /// @param withSize the size of what it has written, which takes a walk over its files
    ObjectNode of(Container container, boolean withSize, ApiVersion version) throws IOException {
        ContainerRecord record = container.record();
        ObjectNode json = JSON.objectNode();
        json.put("Id", record.id().hex()).put("Created", Rfc3339.text(record.created()));
        ContainerFiles.putCommand(json, record.config());
        ObjectNode state = json.putObject("State").put("Status", record.state().word());
        ContainerFiles.putState(state, record.state());
        container.health.ifPresent(health -> putHealth(state.putObject("Health"), health));
        json.put("Image", record.image());
        json.put("ResolvConfPath", etc.resolvConf(record.id()).toString()).put("HostnamePath", etc.hostname(record.id()).toString())
                .put("HostsPath", etc.hosts(record.id()).toString());
        json.put("LogPath", record.logPath()).put("Name", "/" + record.name()).put("RestartCount", record.restarts());
        json.put("Driver", "overlay2").put("Platform", "linux").put("MountLabel", "").put("ProcessLabel", "").put("AppArmorProfile", "");
        List<String> running = execs.running(container);
        if (running.isEmpty()) json.putNull("ExecIDs");
        else running.forEach(json.putArray("ExecIDs")::add);
        json.set("HostConfig", record.host().document().deepCopy());
        Optional<ContainerLayer> layer = layers.containerLayer(record.id().hex());
        ObjectNode driver = json.putObject("GraphDriver");
        ObjectNode data = driver.putObject("Data");
        layer.ifPresent(present -> present.driverData().forEach(data::put));
        driver.put("Name", "overlay2");
        if (withSize) {
            long size = layer.isPresent() ? layer.get().size() : 0;
            json.put("SizeRw", size).put("SizeRootFs", size + layer.map(ContainerLayer::sizeBelow).orElse(0L));
        }
        json.set("Mounts", mounts(record));
        json.set("Config", record.config().document());
        json.set("NetworkSettings", network(record, version));
        HISTORY.apply(version, json);
        return json;
    }

    private static void putHealth(ObjectNode json, Health health) {
        var log = json.put("Status", health.status().word()).put("FailingStreak", health.failingStreak()).putArray("Log");
        for (Health.Probe probe : health.log()) {
            log.addObject().put("Start", Rfc3339.text(probe.start())).put("End", Rfc3339.text(probe.end()))
                    .put("ExitCode", probe.exitCode()).put("Output", probe.output());
        }
    }

    static ArrayNode mounts(ContainerRecord record) {
        ArrayNode mounts = JSON.arrayNode();
        for (MountPoint mount : record.mounts()) mounts.add(mount.toInspect());
        return mounts;
    }

    private static ObjectNode network(ContainerRecord record, ApiVersion version) {
        ObjectNode json = JSON.objectNode();
        boolean alive = record.state().isAlive();
        json.put("Bridge", "").put("SandboxID", "").put("SandboxKey", alive ? "/proc/" + record.state().pid() + "/ns/net" : "");
        json.set("Ports", record.network().ports());
        json.put("HairpinMode", false).put("LinkLocalIPv6Address", "").put("LinkLocalIPv6PrefixLen", 0)
                .putNull("SecondaryIPAddresses").putNull("SecondaryIPv6Addresses");
        record.network().copyBridgeTo(json);
        json.set("Networks", networks(record, version));
        return json;
    }

    static ObjectNode networks(ContainerRecord record, ApiVersion version) {
        ObjectNode all = JSON.objectNode();
        for (String name : record.network().names()) {
            boolean userDefined = !PredefinedNetworks.NAMES.contains(name);
            EndpointSettings settings = record.network().on(name).orElseThrow();
            // Docker's own alias, by which others on a network of one's own find it; it is stored at the first start.
            EndpointSettings found = userDefined ? settings.withAlias(record.id().shortHex()) : settings;
            // From 1.45 on it is among the names in DNSNames instead.
            ObjectNode endpoint = (version.atLeast(1, 45) ? settings : found).document().deepCopy();
            putNames(endpoint, record, userDefined ? found.aliases() : List.of());
            all.set(name, endpoint.without("DesiredMacAddress"));
        }
        return all;
    }

    /// What the embedded resolver answers to; there is none on the networks that are always there.
    private static void putNames(ObjectNode endpoint, ContainerRecord record, List<String> aliases) {
        var names = endpoint.putArray("DNSNames");
        if (aliases.isEmpty() || !record.state().isAlive()) return;
        Set<String> all = new LinkedHashSet<>(List.of(record.name()));
        all.addAll(aliases);
        all.add(record.config().hostname());
        all.forEach(names::add);
    }
}
