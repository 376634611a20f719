package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountRequests;
import io.balena.engine.distribution.Rfc3339;
import java.io.IOException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.OptionalLong;

/// Turns records into `config.v2.json` and `hostconfig.json` as moby 20.10 has them, and back.
final class ContainerFiles {
    private static final ObjectMapper JSON = new ObjectMapper();
    /// Our own field: the number of the newest journal entry that the file includes. Docker drops it when it writes the file.
    private static final String STATE_NUMBER = "StateNumber";
    private static final List<String> KNOWN = List.of("StreamConfig", "State", "ID", "Created", "Managed", "Path", "Args", "Config", "Image",
            "NetworkSettings", "LogPath", "Name", "Driver", "OS", "RestartCount", "HasBeenStartedBefore", "HasBeenManuallyStopped",
            "MountPoints", "HostnamePath", "HostsPath", "ResolvConfPath", STATE_NUMBER);
    /// What changes in the life of a container.
    private static final List<String> STATE = List.of("State", "NetworkSettings", "Name", "RestartCount", "HasBeenStartedBefore",
            "HasBeenManuallyStopped", "LogPath");

    private ContainerFiles() {}

    /// @param number of the entry in the journal that this is as new as; empty when there is no journal
    static byte[] config(ContainerRecord record, EtcFiles etc, OptionalLong number) throws IOException {
        ObjectNode json = config(record, etc);
        if (number.isPresent()) json.put(STATE_NUMBER, number.getAsLong());
        return JSON.writeValueAsBytes(json);
    }

    /// The part of `config.v2.json` that the journal takes.
    static byte[] state(ContainerRecord record, EtcFiles etc) throws IOException {
        return JSON.writeValueAsBytes(config(record, etc).retain(STATE));
    }

    private static ObjectNode config(ContainerRecord record, EtcFiles etc) {
        ObjectNode json = JSON.createObjectNode();
        json.putObject("StreamConfig");
        json.set("State", state(record));
        json.put("ID", record.id().hex()).put("Created", Rfc3339.text(record.created())).put("Managed", false);
        putCommand(json, record.config());
        json.set("Config", record.config().document());
        json.put("Image", record.image());
        ObjectNode network = json.putObject("NetworkSettings").put("Bridge", "").put("SandboxID", "").put("HairpinMode", false)
                .put("LinkLocalIPv6Address", "").put("LinkLocalIPv6PrefixLen", 0);
        network.set("Networks", record.network().networks());
        network.putNull("Service");
        network.set("Ports", record.network().ports());
        network.put("SandboxKey", "").putNull("SecondaryIPAddresses").putNull("SecondaryIPv6Addresses")
                .put("IsAnonymousEndpoint", false).put("HasSwarmEndpoint", false);
        json.put("LogPath", record.logPath()).put("Name", "/" + record.name()).put("Driver", "overlay2").put("OS", "linux");
        json.put("RestartCount", record.restarts()).put("HasBeenStartedBefore", record.started())
                .put("HasBeenManuallyStopped", record.stoppedByUser());
        json.set("MountPoints", MountRequests.store(record.mounts()));
        json.put("HostnamePath", etc.hostname(record.id()).toString()).put("HostsPath", etc.hosts(record.id()).toString())
                .put("ResolvConfPath", etc.resolvConf(record.id()).toString());
        for (var other : record.others().properties()) json.set(other.getKey(), other.getValue());
        return json;
    }

    static byte[] host(ContainerRecord record) throws IOException {
        return JSON.writeValueAsBytes(record.host().document());
    }

    /// `Path` and `Args`, as Docker splits a command.
    static void putCommand(ObjectNode json, ContainerConfig config) {
        List<String> arguments = config.arguments();
        json.put("Path", arguments.isEmpty() ? "" : arguments.getFirst());
        var rest = json.putArray("Args");
        arguments.stream().skip(1).forEach(rest::add);
    }

    private static ObjectNode state(ContainerRecord record) {
        ObjectNode json = putState(JSON.createObjectNode(), record.state());
        json.put("RemovalInProgress", record.state() instanceof ContainerState.Removing);
        return json.putNull("Health");
    }

    /// The fields that inspect and the file have in common.
    static ObjectNode putState(ObjectNode json, ContainerState state) {
        boolean restarting = state instanceof ContainerState.Restarting;
        json.put("Running", state.isAlive() || restarting);
        json.put("Paused", state instanceof ContainerState.Paused).put("Restarting", restarting);
        ContainerState.Exited ended = switch (state) {
            case ContainerState.Exited exited -> exited;
            case ContainerState.Restarting again -> again.last();
            default -> null;
        };
        json.put("OOMKilled", ended != null && ended.oomKilled());
        json.put("Dead", false).put("Pid", state.pid()).put("ExitCode", state.exitCode());
        json.put("Error", ended != null ? ended.error() : state instanceof ContainerState.Created created ? created.error() : "");
        Instant since = switch (state) {
            case ContainerState.Running running -> running.since();
            case ContainerState.Paused paused -> paused.frozen().since();
            default -> ended == null ? null : ended.since();
        };
        json.put("StartedAt", text(since)).put("FinishedAt", text(ended == null ? null : ended.at()));
        return json;
    }

    private static String text(Instant time) {
        return time == null ? ContainerState.NEVER : Rfc3339.text(time);
    }

    /// The number that [#config] has put into a `config.v2.json`; empty when Docker wrote it.
    static OptionalLong stateNumber(byte[] config) throws IOException {
        JsonNode number = JSON.readTree(config).path(STATE_NUMBER);
        return number.isIntegralNumber() ? OptionalLong.of(number.asLong()) : OptionalLong.empty();
    }

    /// @param newer a state from the journal that is newer than the file; null when there is none
    /// @param dataRoot where it was found
    /// @throws IOException when this is no container's record; the message says what is wrong
    static ContainerRecord read(byte[] config, byte[] host, byte[] newer, Path dataRoot) throws IOException {
        if (!(JSON.readTree(config) instanceof ObjectNode json)) throw new IOException("config.v2.json is not a JSON object");
        if (newer != null && JSON.readTree(newer) instanceof ObjectNode state) json.setAll(state);
        if (!(JSON.readTree(host) instanceof ObjectNode hostJson)) throw new IOException("hostconfig.json is not a JSON object");
        if (!(json.get("Config") instanceof ObjectNode configJson)) throw new IOException("config.v2.json has no Config");
        String id = json.path("ID").asText("");
        if (!ContainerId.isId(id)) throw new IOException("config.v2.json has no valid ID");
        String name = json.path("Name").asText("");
        ObjectNode others = json.deepCopy();
        others.remove(KNOWN);
        ObjectNode networks = object(json.path("NetworkSettings").path("Networks"));
        // Docker's own business while a container runs; clients never see it.
        for (JsonNode endpoint : networks) if (endpoint instanceof ObjectNode fields) fields.remove("IPAMOperational");
        NetworkSettings network = new NetworkSettings(networks,
                object(json.path("NetworkSettings").path("Ports")));
        return new ContainerRecord(new ContainerId(id), time(json.path("Created"), Instant.EPOCH), name.startsWith("/") ? name.substring(1) : name,
                json.path("Image").asText(""), ContainerConfig.load(configJson), HostConfig.load(hostJson), state(json.path("State")),
                MountRequests.load(json.path("MountPoints"), dataRoot), network, json.path("RestartCount").asInt(0),
                json.path("HasBeenStartedBefore").asBoolean(false), json.path("HasBeenManuallyStopped").asBoolean(false),
                json.path("LogPath").asText(""), others);
    }

    private static ObjectNode object(JsonNode node) {
        return node instanceof ObjectNode object ? object : JSON.createObjectNode();
    }

    private static ContainerState state(JsonNode json) {
        Instant since = time(json.path("StartedAt"), null);
        Instant at = time(json.path("FinishedAt"), null);
        int code = json.path("ExitCode").asInt(0);
        if (json.path("RemovalInProgress").asBoolean(false) || json.path("Dead").asBoolean(false)) return new ContainerState.Removing(code);
        String error = json.path("Error").asText("");
        var ended = new ContainerState.Exited(code, json.path("OOMKilled").asBoolean(false), since, at, error);
        if (json.path("Restarting").asBoolean(false)) return new ContainerState.Restarting(ended);
        if (json.path("Running").asBoolean(false)) {
            var running = new ContainerState.Running(json.path("Pid").asInt(0), since == null ? Instant.EPOCH : since);
            return json.path("Paused").asBoolean(false) ? new ContainerState.Paused(running) : running;
        }
        return at == null ? new ContainerState.Created(code, error) : ended;
    }

    private static Instant time(JsonNode text, Instant never) {
        String value = text.asText("");
        if (value.isEmpty() || value.startsWith("0001-")) return never;
        try {
            return OffsetDateTime.parse(value).toInstant();
        } catch (DateTimeException e) {
            return never;
        }
    }
}
