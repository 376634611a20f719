package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.RuntimeSpec.Mount;
import io.balena.engine.runtime.spec.RuntimeSpec.Namespace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// Writes down for the runtime what a container is to be.
public final class SpecBuilder {
    private static final String DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private final SeccompProfiles seccomp;
    private final AppArmor apparmor = AppArmor.ofThisHost();
    private final SpecDefaults defaults;
    private final IdentityMapping owners;

    /// @param owners whose users on the host those of containers are
    public SpecBuilder(SpecDefaults defaults, IdentityMapping owners) {
        this.defaults = defaults;
        this.owners = owners;
        this.seccomp = new SeccompProfiles(SeccompProfile.Machine.local(), defaults.seccomp());
    }

    /// What is decided outside: where things lie, and whose namespaces are joined.
    ///
    /// @param rootfs the mounted file system
    /// @param etcFiles path in the container → file on the host
    public record Surroundings(
            String id, Path rootfs, Map<String, Path> etcFiles, List<MountPoint> mounts, SharedNamespaces shared) {}

    /// @throws InvalidRequest when the configuration asks for what cannot be, e.g. a user that is not in the image
    public RuntimeSpec build(ContainerConfig config, HostConfig host, Surroundings around) throws IOException {
        var security = SecurityOptions.parse(host.texts("SecurityOpt"));
        List<String> capabilities = CapabilityNames.of(host.texts("CapAdd"), host.texts("CapDrop"), host.privileged());
        var users = Users.of(new ContainerRoot(around.rootfs));
        var user = users.resolve(config.user(), host.texts("GroupAdd"));
        boolean ownHostname = !host.text("UTSMode").equals("host");
        boolean init = defaults.init().isFor(host);
        List<String> arguments = init ? InitProgram.before(config.arguments()) : config.arguments();
        var process = new RuntimeSpec.Process(config.tty(), consoleSize(config, host), user.user(), arguments,
                environment(config, user.home()), config.workingDirectory().isEmpty() ? "/" : config.workingDirectory(),
                capabilitySets(capabilities, user.user()), rlimits(host), security.noNewPrivileges().orElse(defaults.noNewPrivileges()),
                apparmor.profile(security.apparmor(), host.privileged()),
                (int) host.positive("OomScoreAdj").orElse(0), null);
        var linux = new RuntimeSpec.Linux(namespaces(host, around.shared), mappings(host, around.shared, owners.users()),
                mappings(host, around.shared, owners.groups()), devices(host), ResourceLimits.of(host, deviceRules(host)),
                cgroupPath(host, around.id), sysctls(host),
                host.privileged() ? null : seccomp.of(security.seccomp().orElse(null), capabilities),
                rootPropagation(around.mounts), host.texts("MaskedPaths"), host.texts("ReadonlyPaths"), null);
        return new RuntimeSpec(RuntimeSpec.OCI_VERSION, process, new RuntimeSpec.Root(around.rootfs.toString(), host.readonlyRootfs()),
                ownHostname ? config.hostname() : null, config.domainname().isEmpty() ? null : config.domainname(),
                mounts(config, host, around, init), null, host.textMap("Annotations"), linux);
    }

    /// The process of `docker exec`: as the container's, where the request does not say otherwise.
    ///
    /// @param user empty for the container's
    /// @param workingDirectory empty for the container's
    public RuntimeSpec.Process exec(ContainerConfig config, HostConfig host, Path rootfs, List<String> command, List<String> environment,
            String user, String workingDirectory, boolean tty, boolean privileged, RuntimeSpec.ConsoleSize size) throws IOException {
        var security = SecurityOptions.parse(host.texts("SecurityOpt"));
        var who = Users.of(new ContainerRoot(rootfs)).resolve(user.isEmpty() ? config.user() : user, host.texts("GroupAdd"));
        List<String> capabilities = CapabilityNames.of(host.texts("CapAdd"), host.texts("CapDrop"), privileged || host.privileged());
        Map<String, String> variables = variables(config, tty);
        environment.forEach(entry -> put(variables, entry));
        String directory = workingDirectory.isEmpty() ? config.workingDirectory() : workingDirectory;
        return new RuntimeSpec.Process(tty, size, who.user(), command, withHome(variables, who.home()), directory.isEmpty() ? "/" : directory,
                capabilitySets(capabilities, who.user()), rlimits(host), security.noNewPrivileges().orElse(defaults.noNewPrivileges()),
                apparmor.profile(privileged ? Optional.of("unconfined") : security.apparmor(), host.privileged()),
                (int) host.positive("OomScoreAdj").orElse(0), null);
    }

    /// Checks at create what would only fail at start.
    ///
    /// @throws InvalidRequest with Docker's words
    public static void validate(HostConfig host) {
        SecurityOptions.parse(host.texts("SecurityOpt"));
        CapabilityNames.of(host.texts("CapAdd"), host.texts("CapDrop"), host.privileged());
    }

    private static RuntimeSpec.ConsoleSize consoleSize(ContainerConfig config, HostConfig host) {
        JsonNode size = host.document().path("ConsoleSize");
        if (!config.tty() || size.path(0).asInt() == 0 || size.path(1).asInt() == 0) return null;
        return new RuntimeSpec.ConsoleSize(size.get(0).asInt(), size.get(1).asInt());
    }

    private static List<String> environment(ContainerConfig config, String home) {
        return withHome(variables(config, config.tty()), home);
    }

    private static Map<String, String> variables(ContainerConfig config, boolean tty) {
        Map<String, String> variables = new LinkedHashMap<>();
        put(variables, DEFAULT_PATH);
        put(variables, "HOSTNAME=" + config.hostname());
        if (tty) put(variables, "TERM=xterm");
        config.environment().forEach(entry -> put(variables, entry));
        return variables;
    }

    /// A name without `=` takes the variable away.
    private static void put(Map<String, String> variables, String entry) {
        int equals = entry.indexOf('=');
        if (equals < 0) variables.remove(entry);
        else variables.put(entry.substring(0, equals), entry.substring(equals + 1));
    }

    private static List<String> withHome(Map<String, String> variables, String home) {
        variables.putIfAbsent("HOME", home);
        return variables.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).toList();
    }

    /// Only root keeps capabilities across execve(2); others have them in the bounding set, for set-user-ID programs.
    private static RuntimeSpec.Capabilities capabilitySets(List<String> names, RuntimeSpec.User user) {
        List<String> held = user.uid() == 0 ? names : List.of();
        return new RuntimeSpec.Capabilities(names, held, List.of(), held, List.of());
    }

    private List<RuntimeSpec.Rlimit> rlimits(HostConfig host) {
        List<RuntimeSpec.Rlimit> limits = new ArrayList<>();
        for (JsonNode limit : host.objects("Ulimits")) {
            limits.add(rlimit(limit.path("Name").asText(), limit.path("Soft").asLong(), limit.path("Hard").asLong()));
        }
        for (SpecDefaults.Ulimit limit : defaults.ulimits()) {
            RuntimeSpec.Rlimit rlimit = rlimit(limit.name(), limit.soft(), limit.hard());
            if (limits.stream().noneMatch(own -> own.type().equals(rlimit.type()))) limits.add(rlimit);
        }
        return limits;
    }

    private static RuntimeSpec.Rlimit rlimit(String name, long soft, long hard) {
        return new RuntimeSpec.Rlimit("RLIMIT_" + name.toUpperCase(Locale.ROOT), soft, hard);
    }

    private List<Namespace> namespaces(HostConfig host, SharedNamespaces shared) {
        List<Namespace> all = new ArrayList<>();
        all.add(new Namespace("mount", null));
        if (!(host.networkMode() instanceof NetworkMode.Host)) all.add(namespace("network", "net", shared.network()));
        if (!host.text("UTSMode").equals("host")) all.add(new Namespace("uts", null));
        if (!host.text("PidMode").equals("host")) all.add(namespace("pid", "pid", shared.pid()));
        if (!host.text("IpcMode").equals("host")) all.add(namespace("ipc", "ipc", shared.ipc()));
        if (!host.text("CgroupnsMode").equals("host")) all.add(new Namespace("cgroup", null));
        if (hasOwnUsers(host)) all.add(namespace("user", "user", shared.users()));
        return all;
    }

    private static Namespace namespace(String type, String file, OptionalInt donor) {
        return new Namespace(type, donor.isEmpty() ? null : "/proc/" + donor.getAsInt() + "/ns/" + file);
    }

    private boolean hasOwnUsers(HostConfig host) {
        return !owners.isNone() && !host.text("UsernsMode").equals("host");
    }

    private List<RuntimeSpec.IdMapping> mappings(HostConfig host, SharedNamespaces shared, List<IdentityMapping.Range> ranges) {
        // The donor's namespace has them already.
        if (!hasOwnUsers(host) || shared.users().isPresent()) return List.of();
        return ranges.stream().map(range -> new RuntimeSpec.IdMapping(range.container(), range.host(), range.size())).toList();
    }

    /// Below the root of every hierarchy, or for systemd as `slice:prefix:name`.
    private String cgroupPath(HostConfig host, String id) {
        String own = host.text("CgroupParent");
        Optional<String> given = own.isEmpty() ? defaults.cgroupParent().filter(parent -> !parent.isEmpty()) : Optional.of(own);
        return switch (defaults.cgroups()) {
            case SYSTEMD -> given.orElse("system.slice") + ":docker:" + id;
            // Whatever dots it has, it does not lead out of the hierarchy.
            case CGROUPFS -> Path.of("/").resolve(given.orElse("/docker")).normalize().resolve(id).toString();
        };
    }

    /// Makes what must be there of the control groups above a container's before its own can be made.
    public void prepareGroups(RuntimeSpec spec) {
        if (defaults.cgroups() == CgroupDriver.CGROUPFS) RealtimeGroups.prepareAbove(Path.of(spec.linux().cgroupsPath()), defaults.realtime());
    }

    private Map<String, String> sysctls(HostConfig host) {
        Map<String, String> all = new LinkedHashMap<>();
        boolean ownNetwork = !(host.networkMode() instanceof NetworkMode.Host || host.networkMode() instanceof NetworkMode.OfContainer);
        if (ownNetwork) {
            all.put("net.ipv4.ip_unprivileged_port_start", "0");
            // All groups there are; in a user namespace the kernel wants each of them mapped.
            if (!hasOwnUsers(host)) all.put("net.ipv4.ping_group_range", "0 2147483647");
            // No network here has IPv6 addresses of its own; link-local ones would be a way around the rules for IPv4.
            if (Files.exists(Path.of("/proc/sys/net/ipv6"))) all.put("net.ipv6.conf.all.disable_ipv6", "1");
        }
        all.putAll(host.textMap("Sysctls"));
        return all;
    }

    private static String rootPropagation(List<MountPoint> mounts) {
        boolean shared = mounts.stream().anyMatch(m -> m.propagation().endsWith("shared"));
        boolean slave = mounts.stream().anyMatch(m -> m.propagation().endsWith("slave"));
        return shared ? "shared" : slave ? "rslave" : null;
    }

    private static List<RuntimeSpec.Device> devices(HostConfig host) throws IOException {
        if (host.privileged()) return HostDevices.all();
        List<RuntimeSpec.Device> all = new ArrayList<>();
        for (JsonNode mapping : host.objects("Devices")) all.addAll(HostDevices.requested(mapping));
        return all;
    }

    private static List<RuntimeSpec.DeviceRule> deviceRules(HostConfig host) {
        if (host.privileged()) return List.of(new RuntimeSpec.DeviceRule(true, null, null, null, "rwm"));
        List<RuntimeSpec.DeviceRule> rules = new ArrayList<>();
        rules.add(new RuntimeSpec.DeviceRule(false, null, null, null, "rwm"));
        // Any node may be made (that is mknod's own capability's business), few may be opened.
        rules.add(new RuntimeSpec.DeviceRule(true, "c", null, null, "m"));
        rules.add(new RuntimeSpec.DeviceRule(true, "b", null, null, "m"));
        // zero, null, urandom, random, full, tty, console, ptmx, and all pseudo-terminals; net/tun, which runc allows everybody
        for (Long[] allowed : new Long[][] {{1L, 5L}, {1L, 3L}, {1L, 9L}, {1L, 8L}, {1L, 7L}, {5L, 0L}, {5L, 1L}, {5L, 2L}, {136L, null}, {10L, 200L}}) {
            rules.add(new RuntimeSpec.DeviceRule(true, "c", allowed[0], allowed[1], "rwm"));
        }
        for (JsonNode mapping : host.objects("Devices")) {
            String access = mapping.path("CgroupPermissions").asText("");
            for (RuntimeSpec.Device device : HostDevices.requested(mapping)) {
                rules.add(new RuntimeSpec.DeviceRule(true, device.type(), device.major(), device.minor(), access.isEmpty() ? "rwm" : access));
            }
        }
        for (String rule : host.texts("DeviceCgroupRules")) rules.add(DeviceCgroupRule.parse(rule));
        return rules;
    }

    private List<Mount> mounts(ContainerConfig config, HostConfig host, Surroundings around, boolean init) {
        Map<String, Mount> all = new LinkedHashMap<>();
        boolean open = host.privileged();
        put(all, "/proc", "proc", "proc", "nosuid", "noexec", "nodev");
        put(all, "/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k");
        put(all, "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5");
        put(all, "/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", open ? "rw" : "ro");
        // With users of their own, containers can write only what their root was given.
        put(all, "/sys/fs/cgroup", "cgroup", "cgroup", open || !owners.isNone() ? "rw" : "ro", "nosuid", "noexec", "nodev");
        put(all, "/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev");
        Optional<Path> memory = around.shared.memory();
        if (memory.isEmpty() && !host.text("IpcMode").equals("none")) {
            put(all, "/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=" + host.positive("ShmSize").orElse(64 << 20));
        }

        List<Mount> asked = new ArrayList<>(RequestedMounts.of(host, around.mounts));
        around.etcFiles.forEach((inside, file) -> {
            if (around.mounts.stream().noneMatch(m -> m.destination().equals(inside))) asked.add(etcFile(inside, file, host.readonlyRootfs()));
        });
        memory.ifPresent(shared -> asked.add(new Mount("/dev/shm", "bind", shared.toString(), List.of("rbind", "rprivate"))));
        // Outer folders first: what is mounted on them would hide what came before inside.
        asked.sort(Comparator.comparingInt(m -> Path.of(m.destination()).getNameCount()));
        for (Mount mount : asked) {
            all.remove(mount.destination());
            all.put(mount.destination(), mount);
        }
        List<Mount> mounts = new ArrayList<>(all.values());
        if (init) mounts.add(defaults.init().mount());
        return mounts;
    }

    private static void put(Map<String, Mount> all, String destination, String type, String source, String... options) {
        all.put(destination, new Mount(destination, type, source, List.of(options)));
    }

    private static Mount etcFile(String inside, Path file, boolean readonly) {
        return new Mount(inside, "bind", file.toString(), List.of("rbind", "rprivate", readonly ? "ro" : "rw"));
    }
}
