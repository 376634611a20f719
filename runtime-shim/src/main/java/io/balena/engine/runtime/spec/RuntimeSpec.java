package io.balena.engine.runtime.spec;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/// The `config.json` of a bundle: everything the runtime is told about a container.
///
/// Names and meaning are the specification's, and any Jackson `ObjectMapper` writes these records as it wants them. Where the
/// specification says a field may be missing, it is `null` here, except that a missing list or map is an empty one. Fields that
/// are not listed are ignored when read.
///
/// @param process may be missing in a bundle that is never started
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md">OCI runtime-spec, configuration</a>
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config-linux.md">OCI runtime-spec, Linux</a>
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RuntimeSpec(
        String ociVersion,
        Process process,
        Root root,
        String hostname,
        String domainname,
        List<Mount> mounts,
        Hooks hooks,
        Map<String, String> annotations,
        Linux linux) {

    /// The version of the specification these records follow.
    public static final String OCI_VERSION = "1.2.0";

    public RuntimeSpec {
        mounts = orEmpty(mounts);
        annotations = orEmpty(annotations);
    }

    /// The same under the oldest version of the specification that other runtimes still ask for: crun 1.8 refuses any but 1.0. What a
    /// later one has added they pass over.
    public RuntimeSpec asOldest() {
        return new RuntimeSpec("1.0.2", process, root, hostname, domainname, mounts, hooks, annotations, linux);
    }

    /// What to execute, and as whom. Also what `exec` is given.
    ///
    /// @param consoleSize may be missing, also with a terminal
    /// @param args program and arguments; the program is looked for in the `PATH` of `env`, inside the container
    /// @param cwd absolute; made when missing
    /// @param capabilities when missing, none
    /// @param oomScoreAdj when missing, 0
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Process(
            boolean terminal,
            ConsoleSize consoleSize,
            User user,
            List<String> args,
            List<String> env,
            String cwd,
            Capabilities capabilities,
            List<Rlimit> rlimits,
            boolean noNewPrivileges,
            String apparmorProfile,
            Integer oomScoreAdj,
            String selinuxLabel) {
        public Process {
            if (user == null) user = new User(0, 0, null, List.of());
            args = orEmpty(args);
            env = orEmpty(env);
            if (cwd == null) cwd = "/";
            rlimits = orEmpty(rlimits);
        }

        /// Another program as the same user, with the same rights, and without a terminal.
        public Process running(List<String> args, List<String> env) {
            return new Process(
                    false, null, user, args, env, cwd, capabilities, rlimits, noNewPrivileges, apparmorProfile, oomScoreAdj, selinuxLabel);
        }
    }

    /// In characters.
    public record ConsoleSize(int height, int width) {}

    /// @param umask when missing, 0022
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record User(int uid, int gid, Integer umask, List<Integer> additionalGids) {
        public User {
            additionalGids = orEmpty(additionalGids);
        }
    }

    /// Sets of names such as `CAP_CHOWN`.
    public record Capabilities(
            List<String> bounding,
            List<String> effective,
            List<String> inheritable,
            List<String> permitted,
            List<String> ambient) {
        public Capabilities {
            bounding = orEmpty(bounding);
            effective = orEmpty(effective);
            inheritable = orEmpty(inheritable);
            permitted = orEmpty(permitted);
            ambient = orEmpty(ambient);
        }
    }

    /// @param type e.g. `RLIMIT_NOFILE`
    /// @param soft unsigned; -1 is no limit
    /// @param hard unsigned; -1 is no limit
    public record Rlimit(
            String type,
            @JsonSerialize(using = Unsigned.class) long soft,
            @JsonSerialize(using = Unsigned.class) long hard) {}

    /// @param path absolute, or relative to the bundle
    public record Root(String path, boolean readonly) {}

    /// @param type `bind`, `proc`, `tmpfs`, …; may be missing when `options` hold `bind` or `rbind`
    /// @param options those of mount(8) and runc, e.g. `ro`, `nosuid`, `rbind`, `rslave`, `mode=755`
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Mount(String destination, String type, String source, List<String> options) {
        public Mount {
            options = orEmpty(options);
        }
    }

    public record Hooks(
            List<Hook> prestart,
            List<Hook> createRuntime,
            List<Hook> createContainer,
            List<Hook> startContainer,
            List<Hook> poststart,
            List<Hook> poststop) {
        public Hooks {
            prestart = orEmpty(prestart);
            createRuntime = orEmpty(createRuntime);
            createContainer = orEmpty(createContainer);
            startContainer = orEmpty(startContainer);
            poststart = orEmpty(poststart);
            poststop = orEmpty(poststop);
        }
    }

    /// @param args the first is argv[0]
    /// @param timeout in seconds; when missing, none
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Hook(String path, List<String> args, List<String> env, Integer timeout) {
        public Hook {
            args = orEmpty(args);
            env = orEmpty(env);
        }
    }

    /// @param cgroupsPath e.g. `/docker/<id>`, below the root of every hierarchy
    /// @param rootfsPropagation `private`, `slave`, `shared` or `unbindable`, each also with `r` before it
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Linux(
            List<Namespace> namespaces,
            List<IdMapping> uidMappings,
            List<IdMapping> gidMappings,
            List<Device> devices,
            Resources resources,
            String cgroupsPath,
            Map<String, String> sysctl,
            Seccomp seccomp,
            String rootfsPropagation,
            List<String> maskedPaths,
            List<String> readonlyPaths,
            String mountLabel) {
        public Linux {
            namespaces = orEmpty(namespaces);
            uidMappings = orEmpty(uidMappings);
            gidMappings = orEmpty(gidMappings);
            devices = orEmpty(devices);
            sysctl = orEmpty(sysctl);
            maskedPaths = orEmpty(maskedPaths);
            readonlyPaths = orEmpty(readonlyPaths);
        }
    }

    /// @param type `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup`; a type that is not listed is shared with the runtime
    /// @param path of a namespace to join, e.g. `/proc/<pid>/ns/net`; when missing, a new one is made
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Namespace(String type, String path) {}

    public record IdMapping(int containerID, int hostID, int size) {}

    /// @param type `c`, `u`, `b` or `p`
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Device(String path, String type, long major, long minor, Integer fileMode, Integer uid, Integer gid) {}

    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Resources(
            List<DeviceRule> devices,
            Memory memory,
            Cpu cpu,
            Pids pids,
            BlockIo blockIO,
            List<HugepageLimit> hugepageLimits,
            Map<String, String> unified) {
        public Resources {
            devices = orEmpty(devices);
            hugepageLimits = orEmpty(hugepageLimits);
            unified = orEmpty(unified);
        }
    }

    /// @param type `a`, `c` or `b`; when missing, `a`
    /// @param major when missing, all
    /// @param minor when missing, all
    /// @param access of `rwm`; when missing, all
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record DeviceRule(boolean allow, String type, Long major, Long minor, String access) {}

    /// Bytes; -1 is no limit; what is missing is left as it is.
    ///
    /// @param swap memory and swap together
    /// @param swappiness 0 to 100
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Memory(
            Long limit, Long reservation, Long swap, Long kernel, Long kernelTCP, Long swappiness, Boolean disableOOMKiller) {}

    /// @param quota microseconds in each `period`; -1 is no limit
    /// @param period microseconds
    /// @param cpus e.g. `0-1,4`
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Cpu(
            Long shares, Long quota, Long period, Long realtimeRuntime, Long realtimePeriod, String cpus, String mems) {}

    /// @param limit -1 is no limit
    public record Pids(long limit) {}

    /// @param weight 10 to 1000
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record BlockIo(
            Integer weight,
            List<WeightDevice> weightDevice,
            List<ThrottleDevice> throttleReadBpsDevice,
            List<ThrottleDevice> throttleWriteBpsDevice,
            List<ThrottleDevice> throttleReadIOPSDevice,
            List<ThrottleDevice> throttleWriteIOPSDevice) {
        public BlockIo {
            weightDevice = orEmpty(weightDevice);
            throttleReadBpsDevice = orEmpty(throttleReadBpsDevice);
            throttleWriteBpsDevice = orEmpty(throttleWriteBpsDevice);
            throttleReadIOPSDevice = orEmpty(throttleReadIOPSDevice);
            throttleWriteIOPSDevice = orEmpty(throttleWriteIOPSDevice);
        }
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record WeightDevice(long major, long minor, Integer weight) {}

    /// @param rate bytes or operations per second
    public record ThrottleDevice(long major, long minor, long rate) {}

    /// @param pageSize e.g. `2MB`
    /// @param limit in bytes
    public record HugepageLimit(String pageSize, long limit) {}

    /// @param defaultAction e.g. `SCMP_ACT_ERRNO`
    /// @param defaultErrnoRet when missing, `EPERM`
    /// @param architectures e.g. `SCMP_ARCH_X86_64`; when empty, only the machine's own
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Seccomp(
            String defaultAction,
            Integer defaultErrnoRet,
            List<String> architectures,
            List<String> flags,
            List<SyscallRule> syscalls) {
        public Seccomp {
            architectures = orEmpty(architectures);
            flags = orEmpty(flags);
            syscalls = orEmpty(syscalls);
        }
    }

    /// @param args conditions that must all hold
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record SyscallRule(List<String> names, String action, Integer errnoRet, List<ArgumentCondition> args) {
        public SyscallRule {
            names = orEmpty(names);
            args = orEmpty(args);
        }
    }

    /// @param index of the argument, 0 to 5
    /// @param value unsigned; with `SCMP_CMP_MASKED_EQ` the mask
    /// @param valueTwo unsigned; with `SCMP_CMP_MASKED_EQ` what the masked argument must be
    /// @param op e.g. `SCMP_CMP_EQ`
    public record ArgumentCondition(
            int index,
            @JsonSerialize(using = Unsigned.class) long value,
            @JsonSerialize(using = Unsigned.class) long valueTwo,
            String op) {}

    private static <T> List<T> orEmpty(List<T> list) {
        return list == null ? List.of() : list;
    }

    private static Map<String, String> orEmpty(Map<String, String> map) {
        return map == null ? Map.of() : map;
    }

    /// The specification's `uint64`, for which Java has `long`.
    static final class Unsigned extends JsonSerializer<Long> {
        @Override
        public void serialize(Long value, JsonGenerator json, SerializerProvider provider) throws IOException {
            json.writeNumber(Long.toUnsignedString(value));
        }
    }
}
