package io.balena.engine.daemon;

import static io.balena.engine.daemon.Option.Effect.HONOURED;
import static io.balena.engine.daemon.Option.Effect.MEANINGLESS;
import static io.balena.engine.daemon.Option.Effect.NOT_YET;
import static io.balena.engine.daemon.Option.Kind.LIST;
import static io.balena.engine.daemon.Option.Kind.MAP;
import static io.balena.engine.daemon.Option.Kind.NUMBER;
import static io.balena.engine.daemon.Option.Kind.SWITCH;
import static io.balena.engine.daemon.Option.Kind.TEXT;

import io.balena.engine.daemon.Option.Check;
import io.balena.engine.daemon.Option.Effect;
import io.balena.engine.daemon.Option.Kind;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// dockerd's flags and the keys of daemon.json, as the engine's ancestors had them.
final class Options {
    private static final Check ANYTHING = _ -> {};

    static final List<Option> ALL = List.of(
            // General
            option(HONOURED, SWITCH, "debug", 'D', "debug", "", "Enable debug mode"),
            option(HONOURED, TEXT, "log-level", 'l', "log-level", "info", "Set the logging level (debug, info, warn, error, fatal)"),
            option(HONOURED, LIST, "host", 'H', "hosts", "", Checks::host, "Daemon socket(s) to listen on"),
            option(HONOURED, TEXT, "config-file", '\0', "", "/etc/balena-engine/daemon.json", "Daemon configuration file"),
            option(HONOURED, SWITCH, "version", 'v', "", "", "Print version information and quit"),
            option(HONOURED, SWITCH, "help", 'h', "", "", "Print usage"),
            option(HONOURED, TEXT, "group", 'G', "group", "balena-engine", "Group for the unix socket"),
            option(HONOURED, TEXT, "pidfile", 'p', "pidfile", "/var/run/balena-engine.pid", "Path to use for daemon PID file"),
            option(HONOURED, TEXT, "data-root", '\0', "data-root", "/var/lib/balena-engine", "Root directory of persistent state"),
            option(HONOURED, TEXT, "graph", 'g', "graph", "", "Old name of --data-root"),
            option(HONOURED, TEXT, "exec-root", '\0', "exec-root", "/var/run/balena-engine", "Root directory for execution state files"),
            option(HONOURED, SWITCH, "experimental", '\0', "experimental", "", "Enable experimental features"),
            option(HONOURED, NUMBER, "shutdown-timeout", '\0', "shutdown-timeout", "15", "Seconds to wait for containers at shutdown"),
            option(HONOURED, SWITCH, "live-restore", '\0', "live-restore", "", "Keep containers running while the daemon is down"),
            option(HONOURED, LIST, "label", '\0', "labels", "", Checks::label, "Set key=value labels to the daemon"),
            option(HONOURED, SWITCH, "tls", '\0', "tls", "", "Use TLS"),
            option(HONOURED, SWITCH, "tlsverify", '\0', "tlsverify", "", "Use TLS and verify the remote"),
            option(HONOURED, TEXT, "tlscacert", '\0', "tlscacert", "", "Trust certs signed only by this CA"),
            option(HONOURED, TEXT, "tlscert", '\0', "tlscert", "", "Path to TLS certificate file"),
            option(HONOURED, TEXT, "tlskey", '\0', "tlskey", "", "Path to TLS key file"),
            option(HONOURED, TEXT, "api-cors-header", '\0', "api-cors-header", "", "Set CORS headers in the Engine API"),
            option(NOT_YET, LIST, "authorization-plugin", '\0', "authorization-plugins", "", "Authorization plugins to load"),
            option(NOT_YET, TEXT, "metrics-addr", '\0', "metrics-addr", "", "Address and port to serve metrics on"),
            option(NOT_YET, SWITCH, "raw-logs", '\0', "raw-logs", "", "Full timestamps without colours: what this engine always writes"),
            option(NOT_YET, SWITCH, "rootless", '\0', "rootless", "", "Enable rootless mode"),
            option(MEANINGLESS, SWITCH, "restart", 'r', "", "", "Old and without effect"),
            option(MEANINGLESS, TEXT, "containerd", '\0', "containerd", "", "There is no containerd"),
            option(MEANINGLESS, TEXT, "containerd-namespace", '\0', "containerd-namespace", "", "There is no containerd"),
            option(MEANINGLESS, TEXT, "containerd-plugins-namespace", '\0', "containerd-plugin-namespace", "", "There is no containerd"),
            option(MEANINGLESS, SWITCH, "cri-containerd", '\0', "cri-containerd", "", "There is no containerd"),
            // Storage
            option(HONOURED, TEXT, "storage-driver", 's', "storage-driver", "overlay2", "Storage driver to use"),
            option(NOT_YET, LIST, "storage-opt", '\0', "storage-opts", "", "Storage driver options"),
            option(HONOURED, TEXT, "delta-data-root", '\0', "delta-data-root", "", "Data root with base images of deltas"),
            option(HONOURED, TEXT, "delta-storage-driver", '\0', "delta-storage-driver", "", "Storage driver of --delta-data-root"),
            option(NOT_YET, LIST, "delta-storage-opt", '\0', "delta-storage-opts", "", "Storage driver options of --delta-data-root"),
            // Registries
            option(HONOURED, LIST, "registry-mirror", '\0', "registry-mirrors", "", Checks::mirror, "Preferred registry mirror"),
            option(HONOURED, LIST, "insecure-registry", '\0', "insecure-registries", "", Checks::insecureRegistry, "Allow plain HTTP and unknown certificates there"),
            option(HONOURED, TEXT, "http-proxy", '\0', "http-proxy", "", "HTTP proxy URL to use for outgoing traffic"),
            option(HONOURED, TEXT, "https-proxy", '\0', "https-proxy", "", "HTTPS proxy URL to use for outgoing traffic"),
            option(HONOURED, TEXT, "no-proxy", '\0', "no-proxy", "", "Comma-separated list of hosts or IP addresses for which the proxy is skipped"),
            option(NOT_YET, LIST, "allow-nondistributable-artifacts", '\0', "allow-nondistributable-artifacts", "", "Push foreign layers there"),
            option(HONOURED, NUMBER, "max-concurrent-downloads", '\0', "max-concurrent-downloads", "3", "Downloads at once in each pull"),
            option(HONOURED, NUMBER, "max-concurrent-uploads", '\0', "max-concurrent-uploads", "5", "Uploads at once in each push"),
            option(HONOURED, NUMBER, "max-download-attempts", '\0', "max-download-attempts", "5", "Attempts for each download"),
            option(HONOURED, NUMBER, "max-upload-attempts", '\0', "max-upload-attempts", "5", "Attempts for each upload"),
            // Containers
            option(HONOURED, TEXT, "log-driver", '\0', "log-driver", "json-file", "Default driver for container logs"),
            option(HONOURED, MAP, "log-opt", '\0', "log-opts", "", "Default log driver options for containers"),
            option(HONOURED, LIST, "exec-opt", '\0', "exec-opts", "", Checks::execOption, "Runtime execution options"),
            option(HONOURED, TEXT, "cgroup-parent", '\0', "cgroup-parent", "", "Set parent cgroup for all containers"),
            option(HONOURED, LIST, "default-ulimit", '\0', "default-ulimits", "", Checks::ulimit, "Default ulimits for containers"),
            option(HONOURED, TEXT, "default-runtime", '\0', "default-runtime", "runc", "Default OCI runtime for containers"),
            option(HONOURED, LIST, "add-runtime", '\0', "", "", Checks::runtime, "Register an additional OCI compatible runtime"),
            option(HONOURED, LIST, "cdi-spec-dir", '\0', "cdi-spec-dirs", "", "CDI specification directories to use"),
            option(HONOURED, TEXT, "default-cgroupns-mode", '\0', "default-cgroupns-mode", "", "Default mode for containers cgroup namespace"),
            option(HONOURED, TEXT, "default-ipc-mode", '\0', "default-ipc-mode", "private", "Default mode for containers ipc"),
            option(HONOURED, TEXT, "default-shm-size", '\0', "default-shm-size", "64MiB", "Default shm size for containers"),
            option(HONOURED, SWITCH, "init", '\0', "init", "", "Run an init in the container"),
            option(HONOURED, TEXT, "init-path", '\0', "init-path", "", "Path to the init binary"),
            option(HONOURED, SWITCH, "no-new-privileges", '\0', "no-new-privileges", "", "Set no-new-privileges by default for new containers"),
            option(HONOURED, TEXT, "seccomp-profile", '\0', "seccomp-profile", "", "Path to seccomp profile"),
            option(NOT_YET, SWITCH, "selinux-enabled", '\0', "selinux-enabled", "", "Enable selinux support"),
            option(HONOURED, TEXT, "userns-remap", '\0', "userns-remap", "", "User/Group setting for user namespaces"),
            option(NOT_YET, NUMBER, "oom-score-adjust", '\0', "oom-score-adjust", "0", "Set the oom_score_adj for the daemon"),
            option(HONOURED, NUMBER, "cpu-rt-period", '\0', "cpu-rt-period", "0", "Limit the CPU real-time period of the parent cgroup"),
            option(HONOURED, NUMBER, "cpu-rt-runtime", '\0', "cpu-rt-runtime", "0", "Limit the CPU real-time runtime of the parent cgroup"),
            // Network
            option(HONOURED, TEXT, "bridge", 'b', "bridge", "", "Attach containers to a network bridge, or 'none'"),
            option(HONOURED, TEXT, "bip", '\0', "bip", "", "Specify network bridge IP"),
            option(HONOURED, NUMBER, "mtu", '\0', "mtu", "0", "Set the containers network MTU"),
            option(HONOURED, SWITCH, "iptables", '\0', "iptables", "true", "Enable addition of iptables rules"),
            option(HONOURED, SWITCH, "ip-forward", '\0', "ip-forward", "true", "Enable net.ipv4.ip_forward"),
            option(HONOURED, SWITCH, "ip-masq", '\0', "ip-masq", "true", "Enable IP masquerading"),
            option(HONOURED, SWITCH, "icc", '\0', "icc", "true", "Enable inter-container communication"),
            option(HONOURED, LIST, "dns", '\0', "dns", "", Checks::address, "DNS server to use"),
            option(HONOURED, LIST, "dns-opt", '\0', "dns-opts", "", "DNS options to use"),
            option(HONOURED, LIST, "dns-search", '\0', "dns-search", "", "DNS search domains to use"),
            option(HONOURED, TEXT, "fixed-cidr", '\0', "fixed-cidr", "", "IPv4 subnet for fixed IPs"),
            option(HONOURED, TEXT, "fixed-cidr-v6", '\0', "fixed-cidr-v6", "", "IPv6 subnet for fixed IPs"),
            option(HONOURED, TEXT, "default-gateway", '\0', "default-gateway", "", Checks::address, "Container default gateway IPv4 address"),
            option(HONOURED, TEXT, "default-gateway-v6", '\0', "default-gateway-v6", "", Checks::address, "Container default gateway IPv6 address"),
            option(HONOURED, LIST, "default-address-pool", '\0', "default-address-pools", "", "Default address pools for local networks"),
            option(HONOURED, TEXT, "host-gateway-ip", '\0', "host-gateway-ip", "", Checks::address, "What 'host-gateway' in --add-host means"),
            option(HONOURED, TEXT, "ip", '\0', "ip", "0.0.0.0", Checks::address, "Default IP when binding container ports"),
            option(HONOURED, SWITCH, "ip6tables", '\0', "ip6tables", "", "Enable addition of ip6tables rules"),
            option(HONOURED, SWITCH, "ipv6", '\0', "ipv6", "", "Enable IPv6 networking"),
            option(MEANINGLESS, SWITCH, "userland-proxy", '\0', "userland-proxy", "true", "Use userland proxy for loopback traffic"),
            option(MEANINGLESS, TEXT, "userland-proxy-path", '\0', "userland-proxy-path", "", "Path to the userland proxy binary"),
            option(MEANINGLESS, NUMBER, "network-control-plane-mtu", '\0', "network-control-plane-mtu", "1500", "Network control plane MTU"),
            option(MEANINGLESS, NUMBER, "network-diagnostic-port", '\0', "network-diagnostic-port", "0", "There is no control plane"),
            // Swarm
            option(MEANINGLESS, TEXT, "cluster-advertise", '\0', "cluster-advertise", "", "There is no swarm"),
            option(MEANINGLESS, TEXT, "cluster-store", '\0', "cluster-store", "", "There is no swarm"),
            option(MEANINGLESS, MAP, "cluster-store-opt", '\0', "cluster-store-opts", "", "There is no swarm"),
            option(MEANINGLESS, TEXT, "swarm-default-advertise-addr", '\0', "swarm-default-advertise-addr", "", "There is no swarm"),
            option(MEANINGLESS, LIST, "node-generic-resource", '\0', "node-generic-resources", "", "There is no swarm"));

    /// Keys of daemon.json that no flag says.
    static final Set<String> FILE_ONLY = Set.of("features", "builder", "runtimes", "default-init", "resolv-conf", "deprecated-key-path", "proxies");

    private Options() {}

    static Optional<Option> byFlag(String flag) {
        return ALL.stream().filter(option -> option.flag().equals(flag)).findFirst();
    }

    static Optional<Option> byShorthand(char shorthand) {
        return ALL.stream().filter(option -> option.shorthand() == shorthand).findFirst();
    }

    static Optional<Option> byKey(String key) {
        return ALL.stream().filter(option -> !key.isEmpty() && option.key().equals(key)).findFirst();
    }

    private static Option option(Effect effect, Kind kind, String flag, char shorthand, String key, String absent, String help) {
        return new Option(flag, shorthand, kind, key, absent, effect, ANYTHING, help);
    }

    private static Option option(Effect effect, Kind kind, String flag, char shorthand, String key, String absent, Check check, String help) {
        return new Option(flag, shorthand, kind, key, absent, effect, check, help);
    }
}
