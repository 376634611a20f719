package io.balena.engine.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.network.BridgeConfig;
import io.balena.engine.network.address.Cidr;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class CommandLineTest {
    private static Settings parse(String... arguments) throws CommandLine.UsageException {
        return CommandLine.parse("balenad", arguments);
    }

    private static void refused(String message, String... arguments) {
        assertEquals(message, assertThrows(CommandLine.UsageException.class, () -> parse(arguments)).getMessage());
    }

    @Test
    void flagsComeInAllTheFormsOfPflag() throws CommandLine.UsageException {
        Settings settings = parse("-D", "-H", "unix:///a", "-Hunix:///b", "-H=fd://", "--host", "tcp://:1", "--mtu=1400", "--iptables=false", "-lwarn");
        assertTrue(settings.flag("debug"));
        assertEquals(List.of("unix:///a", "unix:///b", "fd://", "tcp://:1"), settings.list("host"));
        assertEquals(1400, settings.number("mtu"));
        assertTrue(settings.flag("ip-masq") && !settings.flag("iptables"));
        assertEquals("warn", settings.text("log-level"));
    }

    @Test
    void mistakesAreToldInDockerdsWords() {
        refused("unknown flag: --foo", "--foo");
        refused("unknown shorthand flag: 'x' in -x", "-x");
        refused("flag needs an argument: --mtu", "--mtu");
        refused("flag needs an argument: 'l' in -l", "-l");
        refused("invalid argument \"x\" for \"--mtu\" flag: strconv.ParseInt: parsing \"x\": invalid syntax", "--mtu", "x");
        refused("invalid argument \"x\" for \"--iptables\" flag: strconv.ParseBool: parsing \"x\": invalid syntax", "--iptables=x");
        refused("invalid argument \"foo://x\" for \"-H, --host\" flag: Invalid bind address format: foo://x", "-H", "foo://x");
        refused("invalid argument \"foo\" for \"--default-ulimit\" flag: invalid ulimit argument: foo", "--default-ulimit=foo");
        refused("invalid argument \"x\" for \"--dns\" flag: x is not an ip address", "--dns=x");
        refused("invalid argument \"foo\" for \"--registry-mirror\" flag: invalid mirror: unsupported scheme \"\" in \"foo\"", "--registry-mirror=foo");
        refused("\"balenad\" accepts no arguments.", "foo");
    }

    @Test
    void theUnitFileOfADeviceIsUnderstood() throws CommandLine.UsageException {
        Settings settings = parse("--experimental", "--log-driver=journald", "--storage-driver=overlay2", "-H", "fd://", "-H",
                "unix:///var/run/balena.sock", "-H", "unix:///var/run/balena-engine.sock", "--dns=10.114.102.1", "--bip=10.114.101.1/24",
                "--fixed-cidr=10.114.101.0/25", "--max-download-attempts=10", "--exec-opt=native.cgroupdriver=systemd",
                "--add-runtime", "extension=/usr/bin/balena-extension-runtime");
        EngineConfig config = EngineConfig.of(settings);
        assertTrue(config.experimental());
        assertEquals(3, config.api().hosts().size());
        BridgeConfig bridge = config.network().networks().bridge().orElseThrow();
        assertEquals(Optional.of(Cidr.parse("10.114.101.1/24")), bridge.address());
        assertEquals("balena0", bridge.name());
        assertEquals(10, config.registries().downloads().attempts());
        assertEquals(List.of("10.114.102.1"), config.containers().dns().servers());
        assertEquals("/usr/bin/balena-extension-runtime", config.containers().runtimes().others().get("extension").program());
    }

    @Test
    void otherRuntimesAreRefusedInDockersWords() throws CommandLine.UsageException {
        for (String each : List.of("x", "=x", "x=")) {
            var thrown = assertThrows(CommandLine.UsageException.class, () -> parse("--add-runtime", each));
            assertTrue(thrown.getMessage().contains("invalid runtime argument: " + each), thrown.getMessage());
        }
        var reserved = assertThrows(CommandLine.UsageException.class, () -> parse("--add-runtime", "RUNC=/x"));
        assertTrue(reserved.getMessage().contains("runtime name 'runc' is reserved"), reserved.getMessage());
        Settings twice = parse("--add-runtime", "a=/x", "--add-runtime", "a=/y");
        assertEquals("invalid argument \"a=/y\" for \"--add-runtime\" flag: runtime 'a' was already defined",
                assertThrows(IllegalArgumentException.class, () -> EngineConfig.of(twice)).getMessage());
        Settings nobody = parse("--default-runtime", "nope");
        assertEquals("specified default runtime 'nope' does not exist",
                assertThrows(IllegalArgumentException.class, () -> EngineConfig.of(nobody)).getMessage());
    }

    @Test
    void contradictionsAreRefused() {
        for (var each : Map.of(
                "--bip=10.0.0.1/24", "You specified -b & --bip, mutually exclusive options. Please specify only one",
                "--max-concurrent-downloads=-1", "invalid max concurrent downloads: -1",
                "--max-download-attempts=0", "invalid max download attempts: 0",
                "--exec-opt=native.cgroupdriver=foo", "native.cgroupdriver option foo not supported",
                "--log-opt=foo=1", "failed to set log opts: unknown log opt 'foo' for json-file log driver",
                "--tlsverify", "TLS is not supported yet").entrySet()) {
            var thrown = assertThrows(IllegalArgumentException.class, () -> EngineConfig.of(parse("-b", "none", each.getKey())), each.getKey());
            assertEquals(each.getValue(), thrown.getMessage());
        }
    }

    @Test
    void hostsAreReadAsDockerdReadsThem() {
        assertEquals(new Host.Tcp("localhost", 2375), Host.parse("tcp://"));
        assertEquals(new Host.Tcp("0.0.0.0", 2376), Host.parse("tcp://0.0.0.0:2376"));
        assertEquals(new Host.Tcp("::1", 2375), Host.parse("tcp://[::1]"));
        assertEquals(new Host.Tcp("::1", 80), Host.parse("tcp://[::1]:80"));
        assertEquals(new Host.Activated(Optional.empty()), Host.parse("fd://"));
        assertEquals(new Host.Activated(Optional.of("api")), Host.parse("fd://api"));
        assertThrows(IllegalArgumentException.class, () -> Host.parse("tcp://x:99999"));
    }

    @Test
    void whatTheFlagsSayOfNetworksIsUnderstood() throws CommandLine.UsageException {
        var networks = EngineConfig.of(parse("--default-address-pool", "base=10.10.0.0/16,size=24", "--default-gateway=172.17.0.9", "--ipv6",
                "--fixed-cidr-v6=fd00:1::/64", "--ip6tables", "--ip=127.0.0.1", "--mtu=1400", "--host-gateway-ip=192.0.2.1")).network();
        assertEquals(Optional.of("192.0.2.1"), networks.hostGateway());
        BridgeConfig bridge = networks.networks().bridge().orElseThrow();
        assertEquals("fd00:1::1/64", bridge.ipv6().orElseThrow().toString());
        assertEquals("127.0.0.1", bridge.hostBinding().toString());
        assertEquals(1400, bridge.mtu());
        assertEquals("[172.17.0.9]", networks.networks().gateways().toString());
        assertTrue(networks.networks().firewall().ip6tables());
        assertEquals("10.10.0.0/24", networks.networks().pools().firstFree(false, _ -> true).orElseThrow().toString());
        for (String wrong : List.of("--default-address-pool=base=10.0.0.0/24,size=16", "--default-address-pool=10.0.0.0/8", "--fixed-cidr=x",
                "--bip=10.0.0.0/24", "--ipv6")) {
            assertThrows(IllegalArgumentException.class, () -> EngineConfig.of(parse(wrong)), wrong);
        }
    }
}
