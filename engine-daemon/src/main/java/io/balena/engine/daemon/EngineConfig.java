package io.balena.engine.daemon;

import io.balena.engine.daemon.container.DnsDefaults;
import io.balena.engine.daemon.container.Runtimes;
import io.balena.engine.daemon.container.config.ByteSize;
import io.balena.engine.daemon.container.config.HostDefaults;
import io.balena.engine.daemon.container.config.LogOptions;
import io.balena.engine.daemon.container.spec.CgroupDriver;
import io.balena.engine.daemon.container.spec.InitProgram;
import io.balena.engine.daemon.container.spec.SeccompSource;
import io.balena.engine.daemon.container.spec.SpecDefaults;
import io.balena.engine.daemon.http.TlsFiles;
import io.balena.engine.distribution.InsecureRegistries;
import io.balena.engine.distribution.Proxies;
import io.balena.engine.distribution.RegistryConfig;
import io.balena.engine.distribution.RegistryEndpoints;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.network.NetworksConfig;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// How this engine is to run: what flags and daemon.json said, checked and typed.
///
/// @param dataRoot with a folder of its own for each mapping of owners
/// @param deltaRoot where another engine has images that deltas may start from
/// @param owners whose files on the host those of containers are
/// @param experimental shown to clients; and some behaviours depend on it
/// @param labels `key=value`, shown by `/info`
public record EngineConfig(
        Path dataRoot,
        Optional<Path> deltaRoot,
        IdentityMapping owners,
        Path execRoot,
        Path pidFile,
        Api api,
        Network network,
        Registries registries,
        ContainerDefaults containers,
        boolean debug,
        boolean experimental,
        List<String> labels) {
    /// Docker's folder, and the one that devices of its heirs have.
    private static final List<Path> CERTIFICATES = List.of(Path.of("/etc/docker/certs.d"), Path.of("/etc/balena-engine/certs.d"));

    /// @param group that may use the unix sockets
    /// @param groupMustExist somebody named it; the default one may be missing
    /// @param tls spoken on TCP; empty for none
    /// @param corsOrigin pages that may use the API from a browser; empty for none
    public record Api(List<String> hosts, String group, boolean groupMustExist, Optional<TlsFiles> tls, String corsOrigin) {}

    /// @param hostGateway what `host-gateway` in `--add-host` stands for; empty for the default bridge's address
    public record Network(NetworksConfig networks, Optional<String> hostGateway) {}

    /// @param downloads at once in each pull
    /// @param uploads at once in each push
    public record Registries(RegistryEndpoints endpoints, RegistryConfig.Transfers downloads, RegistryConfig.Transfers uploads) {}

    /// What a container gets when its own configuration says nothing.
    ///
    /// @param shutdownSeconds how long containers may take to stop when the engine stops
    /// @param liveRestore containers outlive the engine also when it is stopped on purpose
    public record ContainerDefaults(
            HostDefaults host,
            SpecDefaults spec,
            DnsDefaults dns,
            Runtimes runtimes,
            List<Path> cdiSpecs,
            int shutdownSeconds,
            boolean liveRestore) {}

    /// @throws IllegalArgumentException with dockerd's words when settings contradict each other or cannot be served
    static EngineConfig of(Settings settings) {
        if (!settings.text("storage-driver").equals("overlay2")) {
            throw new IllegalArgumentException("error initializing graphdriver: driver not supported: " + settings.text("storage-driver"));
        }
        IdentityMapping owners = settings.optional("userns-remap").map(UserRemapping::parse).orElse(IdentityMapping.NONE);
        return new EngineConfig(
                dataRoot(settings, owners),
                deltaRoot(settings),
                owners,
                Path.of(settings.text("exec-root")).toAbsolutePath(),
                Path.of(settings.text("pidfile")).toAbsolutePath(),
                api(settings),
                NetworkFlags.of(settings),
                new Registries(endpoints(settings), transfers("download", settings), transfers("upload", settings)),
                containers(settings),
                settings.flag("debug"),
                settings.flag("experimental"),
                labels(settings.list("label")));
    }

    private static Api api(Settings settings) {
        List<String> hosts = settings.says("host") ? settings.list("host") : List.of("unix://" + Host.DEFAULT_SOCKET);
        return new Api(hosts, settings.text("group"), settings.says("group"), tls(settings), settings.text("api-cors-header"));
    }

    /// As with dockerd, asking for certificates of clients asks for TLS, and what is not named lies in the user's folder.
    private static Optional<TlsFiles> tls(Settings settings) {
        boolean verify = settings.flag("tlsverify");
        if (!verify && !settings.flag("tls")) return Optional.empty();
        String given = System.getenv("DOCKER_CERT_PATH");
        Path folder = given == null || given.isEmpty() ? Path.of(System.getProperty("user.home"), ".docker") : Path.of(given);
        return Optional.of(new TlsFiles(
                settings.optional("tlscert").map(Path::of).orElse(folder.resolve("cert.pem")),
                settings.optional("tlskey").map(Path::of).orElse(folder.resolve("key.pem")),
                settings.optional("tlscacert").map(Path::of).orElse(folder.resolve("ca.pem")),
                verify));
    }

    private static List<String> labels(List<String> given) {
        Map<String, String> values = new HashMap<>();
        for (String label : given) {
            String key = label.substring(0, Math.max(0, label.indexOf('=')));
            String before = values.put(key, label);
            if (before != null && !before.equals(label)) throw new IllegalArgumentException("conflict labels for " + label + " and " + before);
        }
        return given;
    }

    private static Path dataRoot(Settings settings, IdentityMapping owners) {
        String given = settings.optional("graph").filter(_ -> !settings.says("data-root")).orElse(settings.text("data-root"));
        Path root = Path.of(given).toAbsolutePath();
        return settings.optional("userns-remap").isEmpty() ? root : root.resolve(Integer.toUnsignedString(owners.rootUser()) + "." + Integer.toUnsignedString(owners.rootGroup()));
    }

    /// As balenaEngine: only who names both means it.
    private static Optional<Path> deltaRoot(Settings settings) {
        Optional<String> driver = settings.optional("delta-storage-driver");
        if (settings.optional("delta-data-root").isEmpty() || driver.isEmpty()) return Optional.empty();
        if (!driver.get().equals("overlay2")) {
            throw new IllegalArgumentException("error initializing delta graphdriver: driver not supported: " + driver.get());
        }
        return Optional.of(Path.of(settings.text("delta-data-root")).toAbsolutePath());
    }

    private static RegistryEndpoints endpoints(Settings settings) {
        List<URI> mirrors = settings.list("registry-mirror").stream().map(mirror -> mirror.replaceFirst("/$", "")).distinct().map(URI::create).toList();
        Proxies proxies = Proxies.of(settings.text("http-proxy"), settings.text("https-proxy"), settings.text("no-proxy"));
        return new RegistryEndpoints(InsecureRegistries.of(settings.list("insecure-registry")), mirrors, CERTIFICATES,
                Proxies.of(proxies, System.getenv()), RegistryEndpoints.Hub.PUBLIC);
    }

    private static RegistryConfig.Transfers transfers(String kind, Settings settings) {
        int atOnce = settings.number("max-concurrent-" + kind + "s");
        int attempts = settings.number("max-" + kind + "-attempts");
        if (atOnce < 0) throw new IllegalArgumentException("invalid max concurrent " + kind + "s: " + atOnce);
        if (attempts < 1) throw new IllegalArgumentException("invalid max " + kind + " attempts: " + attempts);
        return new RegistryConfig.Transfers(Math.max(1, atOnce), attempts);
    }

    private static ContainerDefaults containers(Settings settings) {
        String logDriver = settings.text("log-driver");
        Map<String, String> logOptions = settings.map("log-opt");
        try {
            LogOptions.check(logDriver, logOptions);
        } catch (IllegalArgumentException e) {
            if (e.getMessage().startsWith("logger: no log driver")) throw e;
            throw new IllegalArgumentException("failed to set log opts: " + e.getMessage());
        }
        var cgroups = CgroupDriver.CGROUPFS;
        for (String option : settings.list("exec-opt")) {
            if (!option.startsWith("native.cgroupdriver=")) throw new IllegalArgumentException("Unknown exec option: " + option);
            cgroups = CgroupDriver.named(option.substring(option.indexOf('=') + 1));
        }
        var host = new HostDefaults(new HostDefaults.Log(logDriver, logOptions), settings.text("default-runtime"),
                ipcMode(settings.text("default-ipc-mode")),
                Optional.of(cgroupNamespace(settings.text("default-cgroupns-mode"))),
                ByteSize.parse(settings.text("default-shm-size")));
        cgroups.checkParent(settings.text("cgroup-parent"));
        var spec = new SpecDefaults(cgroups, settings.optional("cgroup-parent"), settings.list("default-ulimit").stream().map(Checks::parseUlimit).toList(),
                settings.flag("no-new-privileges"), SeccompSource.ofFlag(settings.text("seccomp-profile")),
                new SpecDefaults.Realtime(settings.number("cpu-rt-period"), settings.number("cpu-rt-runtime")),
                new InitProgram(settings.flag("init"), settings.optional("init-path")));
        var dns = new DnsDefaults(settings.list("dns"), settings.list("dns-opt"), settings.list("dns-search"));
        Runtimes runtimes = RuntimeSettings.of(settings);
        runtimes.checkDefault(host.runtime());
        List<Path> cdiSpecs = (settings.says("cdi-spec-dir") ? settings.list("cdi-spec-dir") : List.of("/etc/cdi", "/var/run/cdi"))
                .stream().filter(folder -> !folder.isEmpty()).map(Path::of).toList();
        return new ContainerDefaults(host, spec, dns, runtimes, cdiSpecs, settings.number("shutdown-timeout"), settings.flag("live-restore"));
    }

    private static String ipcMode(String mode) {
        return switch (mode) {
            case "private", "shareable" -> mode;
            case String other when other.equals("host") || other.equals("none") || other.startsWith("container:") ->
                    throw new IllegalArgumentException("IPC mode \"" + other + "\" is not supported as default value; use \"shareable\" or \"private\"");
            default -> throw new IllegalArgumentException("default IPC mode setting (" + mode + ") is invalid; use \"shareable\" or \"private\"");
        };
    }

    private static String cgroupNamespace(String mode) {
        return switch (mode) {
            case "private", "host" -> mode;
            // What containers saw of version 1 was there before there were such namespaces.
            case "" -> Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers")) ? "private" : "host";
            default -> throw new IllegalArgumentException("default cgroup namespace mode (" + mode + ") is invalid; use \"host\" or \"private\"");
        };
    }

    /// What was asked for and is not done, in words for the log.
    static List<String> warnings(Settings settings) {
        var warnings = new java.util.ArrayList<String>();
        for (Option option : settings.options()) {
            switch (option.effect()) {
                case HONOURED -> {}
                case NOT_YET -> warnings.add("--" + option.flag() + " is not supported yet and has no effect");
                case MEANINGLESS -> warnings.add("--" + option.flag() + " has no meaning for this engine and is ignored");
            }
        }
        return warnings;
    }
}
