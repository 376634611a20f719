package io.balena.engine.runtime.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A bundle with the machine's busybox as its files and the configuration Docker gives a container by default, to be changed by tests.
public final class Bundle {
    public static final Path BUSYBOX = Path.of("/bin/busybox");
    public static final List<String> DEFAULT_CAPABILITIES = List.of(
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FSETID",
            "CAP_FOWNER",
            "CAP_MKNOD",
            "CAP_NET_RAW",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETFCAP",
            "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE",
            "CAP_SYS_CHROOT",
            "CAP_KILL",
            "CAP_AUDIT_WRITE");
    static final List<String> ENV =
            List.of("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root");

    final Path folder;
    public final Path rootfs;

    List<String> args = List.of("true");
    List<String> env = ENV;
    String cwd = "/";
    public boolean terminal;
    public RuntimeSpec.User user = new RuntimeSpec.User(0, 0, null, List.of());
    public List<String> capabilities = DEFAULT_CAPABILITIES;
    public List<String> ambient = List.of();
    public List<RuntimeSpec.Rlimit> rlimits = List.of();
    public boolean noNewPrivileges;
    String apparmorProfile;
    public Integer oomScoreAdj = 0;
    boolean readonly;
    public String hostname = "box";
    public List<RuntimeSpec.Mount> mounts = new ArrayList<>(defaultMounts());
    public List<RuntimeSpec.Namespace> namespaces = new ArrayList<>(List.of(
            new RuntimeSpec.Namespace("mount", null),
            new RuntimeSpec.Namespace("network", null),
            new RuntimeSpec.Namespace("uts", null),
            new RuntimeSpec.Namespace("pid", null),
            new RuntimeSpec.Namespace("ipc", null),
            new RuntimeSpec.Namespace("cgroup", null)));
    public List<RuntimeSpec.IdMapping> uidMappings;
    public List<RuntimeSpec.IdMapping> gidMappings;
    public List<RuntimeSpec.Device> devices = List.of();
    public RuntimeSpec.Memory memory;
    public RuntimeSpec.Cpu cpu;
    public RuntimeSpec.Pids pids;
    public List<RuntimeSpec.DeviceRule> deviceRules = defaultDeviceRules();
    Map<String, String> sysctl = Map.of();
    public RuntimeSpec.Seccomp seccomp;
    public RuntimeSpec.Hooks hooks;
    public List<String> maskedPaths = List.of(
            "/proc/asound",
            "/proc/acpi",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware");
    List<String> readonlyPaths =
            List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    private Bundle(Path folder) {
        this.folder = folder;
        this.rootfs = folder.resolve("rootfs");
    }

    /// @param folder empty
    public static Bundle in(Path folder) throws IOException {
        var bundle = new Bundle(folder);
        for (String name : List.of("bin", "dev", "etc", "proc", "sys", "tmp", "root")) {
            Files.createDirectories(bundle.rootfs.resolve(name));
        }
        Files.copy(BUSYBOX, bundle.rootfs.resolve("bin/busybox"));
        for (String applet : List.of(
                "sh", "true", "false", "cat", "ls", "id", "hostname", "mount", "umount", "sleep", "echo", "readlink", "stty", "tty",
                "mknod", "touch", "ps", "ip", "pwd", "env", "head", "dd", "chown", "stat", "test", "kill", "unshare", "grep",
                "mkdir")) {
            Files.createSymbolicLink(bundle.rootfs.resolve("bin").resolve(applet), Path.of("busybox"));
        }
        return bundle;
    }

    public Bundle running(String... args) {
        this.args = List.of(args);
        return this;
    }

    public Bundle script(String script) {
        return running("sh", "-c", script);
    }

    /// Writes `config.json`.
    public Path write(String cgroupsPath) throws IOException {
        var capabilitySets = new RuntimeSpec.Capabilities(capabilities, capabilities, ambient, capabilities, ambient);
        var process = new RuntimeSpec.Process(
                terminal, null, user, args, env, cwd, capabilitySets, rlimits, noNewPrivileges, apparmorProfile, oomScoreAdj, null);
        var resources = new RuntimeSpec.Resources(deviceRules, memory, cpu, pids, null, null, null);
        var linux = new RuntimeSpec.Linux(
                namespaces, uidMappings, gidMappings, devices, resources, cgroupsPath, sysctl, seccomp, null, maskedPaths, readonlyPaths, null);
        var spec = new RuntimeSpec(
                RuntimeSpec.OCI_VERSION,
                process,
                new RuntimeSpec.Root("rootfs", readonly),
                hostname,
                null,
                mounts,
                hooks,
                null,
                linux);
        Files.write(folder.resolve("config.json"), new ObjectMapper().writeValueAsBytes(spec));
        return folder;
    }

    /// The `process` object for an exec of `args` into this container.
    public byte[] process(String... args) throws IOException {
        var capabilitySets = new RuntimeSpec.Capabilities(capabilities, capabilities, ambient, capabilities, ambient);
        return new ObjectMapper().writeValueAsBytes(new RuntimeSpec.Process(
                terminal,
                null,
                user,
                List.of(args),
                env,
                cwd,
                capabilitySets,
                rlimits,
                noNewPrivileges,
                apparmorProfile,
                oomScoreAdj,
                null));
    }

    private static List<RuntimeSpec.Mount> defaultMounts() {
        return List.of(
                new RuntimeSpec.Mount("/proc", "proc", "proc", List.of("nosuid", "noexec", "nodev")),
                new RuntimeSpec.Mount(
                        "/dev", "tmpfs", "tmpfs", List.of("nosuid", "strictatime", "mode=755", "size=65536k")),
                new RuntimeSpec.Mount(
                        "/dev/pts",
                        "devpts",
                        "devpts",
                        List.of("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
                new RuntimeSpec.Mount("/sys", "sysfs", "sysfs", List.of("nosuid", "noexec", "nodev", "ro")),
                new RuntimeSpec.Mount(
                        "/sys/fs/cgroup", "cgroup", "cgroup", List.of("ro", "nosuid", "noexec", "nodev")),
                new RuntimeSpec.Mount("/dev/mqueue", "mqueue", "mqueue", List.of("nosuid", "noexec", "nodev")),
                new RuntimeSpec.Mount(
                        "/dev/shm", "tmpfs", "shm", List.of("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")));
    }

    private static List<RuntimeSpec.DeviceRule> defaultDeviceRules() {
        return List.of(
                new RuntimeSpec.DeviceRule(false, null, null, null, "rwm"),
                rule("c", 1L, 5L),
                rule("c", 1L, 3L),
                rule("c", 1L, 9L),
                rule("c", 1L, 8L),
                rule("c", 1L, 7L),
                rule("c", 5L, 0L),
                rule("c", 5L, 1L),
                rule("c", 5L, 2L),
                rule("c", 136L, null),
                new RuntimeSpec.DeviceRule(true, "c", null, null, "m"),
                new RuntimeSpec.DeviceRule(true, "b", null, null, "m"));
    }

    private static RuntimeSpec.DeviceRule rule(String type, Long major, Long minor) {
        return new RuntimeSpec.DeviceRule(true, type, major, minor, "rwm");
    }
}
