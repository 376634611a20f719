package io.balena.engine.daemon.container.config;

import static io.balena.engine.daemon.container.config.Shape.Kind.FLAG;
import static io.balena.engine.daemon.container.config.Shape.Kind.INTEGER;
import static io.balena.engine.daemon.container.config.Shape.Kind.INTEGERS;
import static io.balena.engine.daemon.container.config.Shape.Kind.OBJECT;
import static io.balena.engine.daemon.container.config.Shape.Kind.OBJECTS;
import static io.balena.engine.daemon.container.config.Shape.Kind.COMMAND;
import static io.balena.engine.daemon.container.config.Shape.Kind.SHORT;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXT;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXTS;
import static io.balena.engine.daemon.container.config.Shape.Kind.TEXT_MAP;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/// The part of a container's configuration that depends on its host, Docker's `HostConfig`.
///
/// @param document never changed once it is here; hand out copies to those who might
public record HostConfig(ObjectNode document) {
    private static final Shape SHAPE = new Shape("HostConfig.HostConfig")
            .nullable(TEXTS, "Binds")
            .with(TEXT, "ContainerIDFile")
            .optional(TEXT, "ContainerIDEnv")
            .nullable(OBJECT, "LogConfig")
            .with(TEXT, "NetworkMode")
            .nullable(OBJECT, "PortBindings", "RestartPolicy")
            .with(FLAG, "AutoRemove")
            .with(TEXT, "VolumeDriver")
            .nullable(TEXTS, "VolumesFrom")
            .nullable(COMMAND, "CapAdd", "CapDrop")
            .with(TEXT, "CgroupnsMode")
            .nullable(TEXTS, "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd")
            .with(TEXT, "IpcMode", "Cgroup")
            .nullable(TEXTS, "Links")
            .with(INTEGER, "OomScoreAdj")
            .with(TEXT, "PidMode")
            .with(FLAG, "Privileged", "PublishAllPorts", "ReadonlyRootfs")
            .nullable(TEXTS, "SecurityOpt")
            .optional(TEXT_MAP, "StorageOpt", "Tmpfs")
            .with(TEXT, "UTSMode", "UsernsMode")
            .with(INTEGER, "ShmSize")
            .optional(TEXT_MAP, "Sysctls")
            .with(TEXT, "Runtime")
            .nullable(INTEGERS, "ConsoleSize")
            .with(TEXT, "Isolation")
            .with(INTEGER, "CpuShares", "Memory", "NanoCpus")
            .with(TEXT, "CgroupParent")
            .with(SHORT, "BlkioWeight")
            .nullable(OBJECTS, "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
                    "BlkioDeviceWriteIOps")
            .with(INTEGER, "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime")
            .with(TEXT, "CpusetCpus", "CpusetMems")
            .nullable(OBJECTS, "Devices")
            .nullable(TEXTS, "DeviceCgroupRules")
            .nullable(OBJECTS, "DeviceRequests")
            .with(INTEGER, "KernelMemory", "KernelMemoryTCP", "MemoryReservation", "MemorySwap")
            .nullable(INTEGER, "MemorySwappiness")
            .with(FLAG, "OomKillDisable")
            .pointer(FLAG, "Init")
            .nullable(INTEGER, "PidsLimit")
            .nullable(OBJECTS, "Ulimits")
            .with(INTEGER, "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth")
            .optional(OBJECTS, "Mounts")
            .optional(TEXT_MAP, "Annotations")
            .nullable(TEXTS, "MaskedPaths", "ReadonlyPaths");

    private static final List<String> MASKED = List.of("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap");
    private static final List<String> READ_ONLY = List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    /// Reads what a client sent and fills in what the engine decides.
    ///
    /// @throws io.balena.engine.daemon.EngineException.InvalidRequest when a field has the wrong type
    public static HostConfig read(JsonNode given) {
        return read(given, HostDefaults.DOCKERS);
    }

    /// @see #read(JsonNode)
    public static HostConfig read(JsonNode given, HostDefaults defaults) {
        ObjectNode document = SHAPE.read(given);
        fill(document, "NetworkMode", "default");
        fill(document, "IpcMode", defaults.ipcMode());
        boolean privileged = document.path("Privileged").asBoolean();
        fill(document, "CgroupnsMode", defaults.cgroupnsMode(privileged));
        fill(document, "Runtime", defaults.runtime());
        if (document.path("ShmSize").asLong() == 0) document.put("ShmSize", defaults.shmBytes());
        if (document.path("ConsoleSize").isNull()) document.putArray("ConsoleSize").add(0).add(0);
        if (document.path("LogConfig").isNull()) document.putObject("LogConfig");
        ObjectNode log = (ObjectNode) document.get("LogConfig");
        fill(log, "Type", defaults.log().driver());
        ObjectNode options = log.path("Config").isObject() ? (ObjectNode) log.get("Config") : log.putObject("Config");
        if (log.get("Type").asText().equals(defaults.log().driver())) {
            defaults.log().options().forEach((name, value) -> {
                if (!options.has(name)) options.put(name, value);
            });
        }
        ObjectNode restart = JsonNodeFactory.instance.objectNode()
                .put("Name", document.path("RestartPolicy").path("Name").asText(""))
                .put("MaximumRetryCount", document.path("RestartPolicy").path("MaximumRetryCount").asInt(0));
        document.set("RestartPolicy", restart);
        for (String set : List.of("MaskedPaths", "ReadonlyPaths")) {
            // null means the default ones, an empty list none; a privileged container has none.
            if (privileged) document.putNull(set);
            else if (document.path(set).isNull()) {
                var paths = document.putArray(set);
                (set.equals("MaskedPaths") ? MASKED : READ_ONLY).forEach(paths::add);
            }
        }
        // Nothing and anything below have always meant "no limit".
        if (document.path("PidsLimit").asLong(0) <= 0) document.putNull("PidsLimit");
        // With a memory limit and no word about swap, Docker allows as much swap again.
        if (document.path("Memory").asLong() > 0 && document.path("MemorySwap").asLong() == 0) {
            document.put("MemorySwap", 2 * document.path("Memory").asLong());
        }
        return new HostConfig(document);
    }

    /// Reads what is to be changed of a container. What is 0, empty or missing is to stay.
    ///
    /// @throws io.balena.engine.daemon.EngineException.InvalidRequest when a field has the wrong type
    public static HostConfig readChange(JsonNode given) {
        ObjectNode document = SHAPE.as("UpdateConfig").read(given);
        if (document.hasNonNull("PidsLimit") && document.get("PidsLimit").asLong() < 0) document.put("PidsLimit", 0);
        return new HostConfig(document);
    }

    private static void fill(ObjectNode document, String field, String value) {
        if (document.path(field).asText("").isEmpty()) document.put(field, value);
    }

    public static HostConfig load(ObjectNode stored) {
        return new HostConfig(SHAPE.load(stored));
    }

    public HostConfig with(String field, List<String> texts) {
        ObjectNode changed = document.deepCopy();
        texts.forEach(changed.putArray(field)::add);
        return new HostConfig(changed);
    }

    public HostConfig withRestartPolicy(RestartPolicy policy) {
        ObjectNode changed = document.deepCopy();
        changed.putObject("RestartPolicy").put("Name", policy.name()).put("MaximumRetryCount", policy.maximumRetries());
        return new HostConfig(changed);
    }

    public NetworkMode networkMode() {
        return NetworkMode.parse(text("NetworkMode"));
    }

    public RestartPolicy restartPolicy() {
        JsonNode policy = document.path("RestartPolicy");
        return new RestartPolicy(policy.path("Name").asText(""), policy.path("MaximumRetryCount").asInt(0));
    }

    public boolean autoRemove() {
        return flag("AutoRemove");
    }

    public boolean privileged() {
        return flag("Privileged");
    }

    public boolean readonlyRootfs() {
        return flag("ReadonlyRootfs");
    }

    public boolean oomKillDisable() {
        return flag("OomKillDisable");
    }

    public boolean publishAllPorts() {
        return flag("PublishAllPorts");
    }

    /// Empty to have it as the engine is configured.
    public Optional<Boolean> init() {
        return given("Init") ? Optional.of(flag("Init")) : Optional.empty();
    }

    /// The name of an OCI runtime.
    public String runtime() {
        return text("Runtime");
    }

    public String logDriver() {
        return document.path("LogConfig").path("Type").asText("json-file");
    }

    public Map<String, String> logOptions() {
        return ContainerConfig.textMap(document.path("LogConfig").path("Config"));
    }

    public Optional<String> containerIdVariable() {
        return Optional.of(text("ContainerIDEnv")).filter(name -> !name.isEmpty());
    }

    /// A list of strings such as `Binds`, `CapAdd`, `Dns`, `ExtraHosts`; empty when not given.
    public List<String> texts(String field) {
        return Shape.texts(document.get(field));
    }

    /// A list of objects such as `Mounts`, `Devices`, `Ulimits`; empty when not given.
    public List<JsonNode> objects(String field) {
        List<JsonNode> all = new ArrayList<>();
        document.path(field).forEach(all::add);
        return all;
    }

    /// `Tmpfs` or `Sysctls`.
    public Map<String, String> textMap(String field) {
        return ContainerConfig.textMap(document.path(field));
    }

    /// `PidMode`, `IpcMode`, `UTSMode`, `CgroupnsMode`, `CgroupParent`, `CpusetCpus`, …
    public String text(String field) {
        return document.path(field).asText("");
    }

    /// A number that means something only when it is not 0.
    public OptionalLong positive(String field) {
        long value = document.path(field).asLong(0);
        return value == 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    public boolean given(String field) {
        return document.hasNonNull(field);
    }

    public JsonNode portBindings() {
        return document.path("PortBindings");
    }

    private boolean flag(String field) {
        return document.path(field).asBoolean(false);
    }
}
