package io.balena.engine.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The options of `run` and `create`, and the API's description of a container made of them.
final class ContainerOptions {
    @Option(names = {"-i", "--interactive"}, description = "Keep STDIN open even if not attached") boolean interactive;
    @Option(names = {"-t", "--tty"}, description = "Allocate a pseudo-TTY") boolean tty;
    @Option(names = {"-a", "--attach"}, description = "Attach to STDIN, STDOUT or STDERR") List<String> attach = List.of();
    @Option(names = "--name", description = "Assign a name to the container") String name;
    @Option(names = "--rm", description = "Automatically remove the container when it exits") boolean remove;
    @Option(names = {"-e", "--env"}, description = "Set environment variables") List<String> environment = List.of();
    @Option(names = "--env-file", description = "Read in a file of environment variables") List<String> environmentFiles = List.of();
    @Option(names = {"-w", "--workdir"}, description = "Working directory inside the container") String workingDirectory;
    @Option(names = {"-u", "--user"}, description = "Username or UID (format: <name|uid>[:<group|gid>])") String user;
    @Option(names = "--entrypoint", description = "Overwrite the default ENTRYPOINT of the image") String entrypoint;
    @Option(names = {"-v", "--volume"}, description = "Bind mount a volume") List<String> volumes = List.of();
    @Option(names = "--mount", description = "Attach a filesystem mount to the container") List<String> mounts = List.of();
    @Option(names = "--tmpfs", description = "Mount a tmpfs directory") List<String> tmpfs = List.of();
    @Option(names = {"-h", "--hostname"}, description = "Container host name") String hostname;
    @Option(names = "--domainname", description = "Container NIS domain name") String domainname;
    @Option(names = {"--network", "--net"}, description = "Connect a container to a network") String network;
    @Option(names = {"-p", "--publish"}, description = "Publish a container's port(s) to the host") List<String> ports = List.of();
    @Option(names = {"-P", "--publish-all"}, description = "Publish all exposed ports to random ports") boolean publishAll;
    @Option(names = "--expose", description = "Expose a port or a range of ports") List<String> exposed = List.of();
    @Option(names = "--add-host", description = "Add a custom host-to-IP mapping (host:ip)") List<String> hosts = List.of();
    @Option(names = "--dns", description = "Set custom DNS servers") List<String> dns = List.of();
    @Option(names = "--privileged", description = "Give extended privileges to this container") boolean privileged;
    @Option(names = "--cap-add", description = "Add Linux capabilities") List<String> addedCapabilities = List.of();
    @Option(names = "--cap-drop", description = "Drop Linux capabilities") List<String> droppedCapabilities = List.of();
    @Option(names = "--security-opt", description = "Security Options") List<String> security = List.of();
    @Option(names = "--device", description = "Add a host device to the container") List<String> devices = List.of();
    @Option(names = "--group-add", description = "Add additional groups to join") List<String> groups = List.of();
    @Option(names = "--read-only", description = "Mount the container's root filesystem as read only") boolean readOnly;
    @Option(names = "--init", description = "Run an init inside the container that reaps processes") boolean init;
    @Option(names = "--pid", description = "PID namespace to use") String pidNamespace;
    @Option(names = "--ipc", description = "IPC mode to use") String ipcNamespace;
    @Option(names = "--uts", description = "UTS namespace to use") String utsNamespace;
    @Option(names = "--cgroup-parent", description = "Optional parent cgroup for the container") String cgroupParent;
    @Option(names = {"-m", "--memory"}, description = "Memory limit") String memory;
    @Option(names = "--memory-swap", description = "Swap limit equal to memory plus swap: '-1' to enable unlimited swap") String memorySwap;
    @Option(names = "--memory-reservation", description = "Memory soft limit") String memoryReservation;
    @Option(names = "--cpus", description = "Number of CPUs") BigDecimal cpus;
    @Option(names = {"-c", "--cpu-shares"}, description = "CPU shares (relative weight)") Long cpuShares;
    @Option(names = "--cpu-period", description = "Limit CPU CFS period") Long cpuPeriod;
    @Option(names = "--cpu-quota", description = "Limit CPU CFS quota") Long cpuQuota;
    @Option(names = "--cpuset-cpus", description = "CPUs in which to allow execution (0-3, 0,1)") String cpuset;
    @Option(names = "--pids-limit", description = "Tune container pids limit (set -1 for unlimited)") Long pidsLimit;
    @Option(names = "--oom-score-adj", description = "Tune host's OOM preferences (-1000 to 1000)") Integer oomScore;
    @Option(names = "--oom-kill-disable", description = "Disable OOM Killer") boolean oomKillDisable;
    @Option(names = "--shm-size", description = "Size of /dev/shm") String shmSize;
    @Option(names = "--ulimit", description = "Ulimit options") List<String> ulimits = List.of();
    @Option(names = "--sysctl", description = "Sysctl options") List<String> sysctls = List.of();
    @Option(names = "--restart", description = "Restart policy to apply when a container exits") String restart;
    @Option(names = "--stop-signal", description = "Signal to stop the container") String stopSignal;
    @Option(names = "--stop-timeout", description = "Timeout (in seconds) to stop a container") Integer stopTimeout;
    @Option(names = {"-l", "--label"}, description = "Set meta data on a container") List<String> labels = List.of();
    @Option(names = "--log-driver", description = "Logging driver for the container") String logDriver;
    @Option(names = "--log-opt", description = "Log driver options") List<String> logOptions = List.of();
    @Option(names = "--runtime", description = "Runtime to use for this container") String runtime;
    @Option(names = "--platform", description = "Set platform if server is multi-platform capable") String platform;
    @Option(names = "--pull", defaultValue = "missing", description = "Pull image before creating (always|missing|never)") String pull;
    @Option(names = "--cidfile", description = "Write the container ID to the file") Path cidFile;
    @Option(names = "--cidenv", description = "Name of an environment variable to hold the container ID") String idVariable;

    @Parameters(index = "0", paramLabel = "IMAGE") String image;
    @Parameters(index = "1..*", arity = "0..*", paramLabel = "COMMAND") List<String> command = List.of();

    /// @param attached whether our own output follows the container's, as in `run` without `-d`
    ObjectNode toJson(boolean attached) {
        var container = EngineClient.JSON.createObjectNode();
        container.put("Image", image);
        if (!command.isEmpty()) strings(container, "Cmd", command);
        if (entrypoint != null) strings(container, "Entrypoint", List.of(entrypoint));
        container.put("Tty", tty).put("OpenStdin", interactive).put("StdinOnce", interactive && attached);
        boolean all = attach.isEmpty();
        container.put("AttachStdin", attached && interactive && (all || attachesTo("stdin")));
        container.put("AttachStdout", attached && (all || attachesTo("stdout")));
        container.put("AttachStderr", attached && (all || attachesTo("stderr")));
        strings(container, "Env", environment());
        text(container, "WorkingDir", workingDirectory);
        text(container, "User", user);
        text(container, "Hostname", hostname);
        text(container, "Domainname", domainname);
        text(container, "StopSignal", stopSignal);
        if (stopTimeout != null) container.put("StopTimeout", stopTimeout);
        var labelled = container.putObject("Labels");
        labels.forEach(label -> pair(labelled, label, ""));
        if (!ports.isEmpty() || !exposed.isEmpty()) {
            var open = container.putObject("ExposedPorts");
            exposed.forEach(port -> open.putObject(port.contains("/") ? port : port + "/tcp"));
            ports.forEach(port -> open.putObject(PortOption.parse(port).containerPort()));
        }
        hostConfig(container.putObject("HostConfig"));
        return container;
    }

    boolean attachesTo(String stream) {
        return attach.stream().anyMatch(stream::equalsIgnoreCase);
    }

    private void hostConfig(ObjectNode host) {
        host.put("AutoRemove", remove).put("Privileged", privileged).put("ReadonlyRootfs", readOnly);
        host.put("NetworkMode", network == null ? "default" : network);
        text(host, "ContainerIDEnv", idVariable);
        if (!volumes.isEmpty()) strings(host, "Binds", volumes.stream().map(ContainerOptions::absolute).toList());
        if (!mounts.isEmpty()) {
            var all = host.putArray("Mounts");
            mounts.forEach(mount -> all.add(MountOption.parse(mount)));
        }
        if (!tmpfs.isEmpty()) {
            var all = host.putObject("Tmpfs");
            tmpfs.forEach(mount -> {
                int colon = mount.indexOf(':');
                all.put(colon < 0 ? mount : mount.substring(0, colon), colon < 0 ? "" : mount.substring(colon + 1));
            });
        }
        if (!ports.isEmpty()) {
            var bindings = host.putObject("PortBindings");
            for (var option : ports) {
                var port = PortOption.parse(option);
                bindings.withArrayProperty(port.containerPort()).addObject().put("HostIp", port.hostAddress()).put("HostPort", port.hostPort());
            }
        }
        host.put("PublishAllPorts", publishAll);
        if (!hosts.isEmpty()) strings(host, "ExtraHosts", hosts);
        if (!dns.isEmpty()) strings(host, "Dns", dns);
        if (!addedCapabilities.isEmpty()) strings(host, "CapAdd", addedCapabilities);
        if (!droppedCapabilities.isEmpty()) strings(host, "CapDrop", droppedCapabilities);
        if (!security.isEmpty()) strings(host, "SecurityOpt", security);
        if (!groups.isEmpty()) strings(host, "GroupAdd", groups);
        if (!devices.isEmpty()) devices(host.putArray("Devices"));
        if (init) host.put("Init", true);
        text(host, "PidMode", pidNamespace);
        text(host, "IpcMode", ipcNamespace);
        text(host, "UTSMode", utsNamespace);
        text(host, "CgroupParent", cgroupParent);
        text(host, "Runtime", runtime);
        limits(host);
        if (restart != null) {
            int colon = restart.indexOf(':');
            host.putObject("RestartPolicy").put("Name", colon < 0 ? restart : restart.substring(0, colon))
                    .put("MaximumRetryCount", colon < 0 ? 0 : number(restart.substring(colon + 1), "maximum retry count must be an integer"));
        }
        var log = host.putObject("LogConfig").put("Type", logDriver == null ? "" : logDriver).putObject("Config");
        logOptions.forEach(option -> pair(log, option, ""));
    }

    private void limits(ObjectNode host) {
        if (memory != null) host.put("Memory", Units.memory(memory));
        if (memorySwap != null) host.put("MemorySwap", memorySwap.equals("-1") ? -1 : Units.memory(memorySwap));
        if (memoryReservation != null) host.put("MemoryReservation", Units.memory(memoryReservation));
        if (cpus != null) host.put("NanoCpus", cpus.movePointRight(9).longValue());
        if (cpuShares != null) host.put("CpuShares", cpuShares);
        if (cpuPeriod != null) host.put("CpuPeriod", cpuPeriod);
        if (cpuQuota != null) host.put("CpuQuota", cpuQuota);
        text(host, "CpusetCpus", cpuset);
        if (pidsLimit != null) host.put("PidsLimit", pidsLimit);
        if (oomScore != null) host.put("OomScoreAdj", oomScore);
        if (oomKillDisable) host.put("OomKillDisable", true);
        if (shmSize != null) host.put("ShmSize", Units.memory(shmSize));
        if (!sysctls.isEmpty()) {
            var all = host.putObject("Sysctls");
            sysctls.forEach(sysctl -> pair(all, sysctl, ""));
        }
        if (!ulimits.isEmpty()) {
            var all = host.putArray("Ulimits");
            for (var ulimit : ulimits) {
                var parts = ulimit.split("[=:]");
                if (parts.length < 2) throw new CommandFailed(125, "invalid ulimit argument: " + ulimit);
                all.addObject().put("Name", parts[0]).put("Soft", number(parts[1], "invalid ulimit argument: " + ulimit))
                        .put("Hard", number(parts[parts.length - 1], "invalid ulimit argument: " + ulimit));
            }
        }
    }

    private void devices(ArrayNode all) {
        for (var device : devices) {
            var parts = device.split(":");
            boolean permissionsSecond = parts.length == 2 && parts[1].matches("[rwm]+");
            all.addObject().put("PathOnHost", parts[0])
                    .put("PathInContainer", parts.length > 1 && !permissionsSecond ? parts[1] : parts[0])
                    .put("CgroupPermissions", parts.length > 2 ? parts[2] : permissionsSecond ? parts[1] : "rwm");
        }
    }

    /// `NAME=value` as it is; `NAME` alone takes the value from our own environment, if it is there.
    private List<String> environment() {
        var all = new ArrayList<String>();
        for (var file : environmentFiles) {
            try {
                for (var line : Files.readAllLines(Path.of(file))) {
                    if (!line.isBlank() && !line.stripLeading().startsWith("#")) all.add(line.stripLeading());
                }
            } catch (IOException _) {
                throw new CommandFailed(125, "open " + file + ": no such file or directory");
            }
        }
        all.addAll(environment);
        all.replaceAll(entry -> entry.contains("=") ? entry : System.getenv(entry) == null ? entry : entry + "=" + System.getenv(entry));
        all.removeIf(entry -> !entry.contains("=") && !environment.contains(entry));
        return all;
    }

    /// A relative folder is one of the user's, not one of the engine's.
    private static String absolute(String volume) {
        if (!volume.startsWith("./") && !volume.startsWith("../") && !volume.startsWith(".:")) return volume;
        int colon = volume.indexOf(':');
        return Path.of(volume.substring(0, colon < 0 ? volume.length() : colon)).toAbsolutePath().normalize()
                + (colon < 0 ? "" : volume.substring(colon));
    }

    private static void text(ObjectNode node, String field, String value) {
        if (value != null) node.put(field, value);
    }

    private static void strings(ObjectNode node, String field, List<String> values) {
        var array = node.putArray(field);
        values.forEach(array::add);
    }

    private static void pair(ObjectNode node, String text, String otherwise) {
        int equals = text.indexOf('=');
        if (equals < 0) node.put(text, otherwise);
        else node.put(text.substring(0, equals), text.substring(equals + 1));
    }

    private static long number(String digits, String problem) {
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException _) {
            throw new CommandFailed(125, problem);
        }
    }
}
