package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// The daemon ends, in whatever way, while containers run. `close` gives back exactly what the kernel takes from a killed one.
@ExtendWith(OwnMachine.class)
class RestartIT {
    @TempDir
    Path state;

    private static final BridgeSetup DEFAULT = new BridgeSetup("balena0", Optional.empty(), 0, true, true, true, true);

    private static List<PortBinding> port(int host) {
        return List.of(new PortBinding("tcp", 80, "", host));
    }

    private Path record(String container) {
        return state.resolve("balena0").resolve(container + ".json");
    }

    @Test
    void aNewDaemonKnowsTheContainersAndGivesNoAddressTwice() throws IOException {
        try (var container = Host.start(); var later = Host.start()) {
            Endpoint endpoint;
            try (var network = OneBridge.open(DEFAULT, state)) {
                endpoint = network.allocate("c1", Optional.empty(), port(8080));
                network.attach(endpoint, container.pid());
            }
            container.serveTcp(80);
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8080), "without a daemon");
            try (var network = OneBridge.open(DEFAULT, state)) {
                assertEquals(List.of(endpoint), network.endpoints());
                assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8080));
                var clash = assertThrows(PortUnavailable.class, () -> network.allocate("c2", Optional.empty(), port(8080)));
                assertEquals("Bind for 0.0.0.0:8080 failed: port is already allocated", clash.getMessage());
                var second = network.allocate("c2", Optional.empty(), port(8081));
                assertEquals("172.17.0.3", OneBridge.address(second));
                network.attach(second, later.pid());
                network.release("c1");
                assertThrows(IOException.class, () -> Host.tcpBriefly("127.0.0.1", 8080));
            }
        }
    }

    @Test
    void aDamagedRecordIsRebuiltFromTheLink() throws IOException {
        try (var container = Host.start()) {
            Endpoint endpoint;
            try (var network = OneBridge.open(DEFAULT, state)) {
                endpoint = network.allocate("c1", Optional.empty(), port(8080));
                network.attach(endpoint, container.pid());
            }
            Files.write(record("c1"), java.util.Arrays.copyOf(Files.readAllBytes(record("c1")), 60));
            try (var network = OneBridge.open(DEFAULT, state)) {
                var rebuilt = network.endpoints().getFirst();
                assertEquals(endpoint.id(), rebuilt.id());
                assertEquals("172.17.0.2", OneBridge.address(rebuilt));
                assertEquals("172.17.0.3", OneBridge.address(network.allocate("c2", Optional.empty(), port(8080))));
                assertFalse(DefaultBridgeIT.rules().contains("172.17.0.2"), "rules of ports nobody knows");
                network.release("c1");
                assertEquals("", Shell.run("ip", "link", "show", "type", "veth"));
            }
        }
    }

    @Test
    void recordsOfAnEarlierBootAndRubbishAreNoHindrance() throws IOException {
        Files.createDirectories(record("x").getParent());
        Files.writeString(record("old"), "{\"bootId\":\"0e8b1d9e-0000-0000-0000-000000000000\",\"endpoint\":{\"id\":\"aa\",\"containerId\":\"old\","
                + "\"address\":\"172.17.0.2\",\"prefixLength\":16,\"gateway\":\"172.17.0.1\",\"macAddress\":\"02:42:ac:11:00:02\",\"ports\":[]}}");
        Files.writeString(record("empty"), "");
        Files.writeString(record("null"), "null");
        Files.writeString(record("wrong"), "{\"bootId\":\"" + Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip()
                + "\",\"endpoint\":{\"id\":\"aa\",\"containerId\":\"../../x\",\"address\":\"172.17.0.2\"}}");
        Files.writeString(state.resolve("balena0/.tmp-c9.json"), "{");
        Files.createDirectories(state.resolve("balena0/folder.json/inside"));
        try (var network = OneBridge.open(DEFAULT, state)) {
            assertEquals(List.of(), network.endpoints());
            assertEquals("172.17.0.2", OneBridge.address(network.allocate("c1", Optional.empty(), List.of())));
        }
        try (var files = Files.list(state.resolve("balena0"))) {
            assertEquals(List.of(record("c1"), record("folder")), files.sorted().toList());
        }
    }

    @Test
    void aDaemonKilledBetweenAllocateAndAttachLeavesNothingThatCannotBeReleased() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            network.allocate("c1", Optional.empty(), port(8080));
        }
        try (var network = OneBridge.open(DEFAULT, state)) {
            assertEquals("c1", network.endpoints().getFirst().containerId());
            network.release("c1");
            assertFalse(DefaultBridgeIT.rules().contains("172.17.0.2"));
            assertEquals("172.17.0.2", OneBridge.address(network.allocate("c1", Optional.empty(), port(8080))));
        }
    }

    @Test
    void aDaemonKilledWhileItMadeTheLinkLeavesNothingThatCannotBeReleased() throws IOException {
        Endpoint endpoint;
        try (var network = OneBridge.open(DEFAULT, state)) {
            endpoint = network.allocate("c1", Optional.empty(), port(8080));
        }
        // Made, but not yet switched on and marked.
        Shell.run("ip", "link", "add", "veth" + endpoint.id().substring(0, 7), "master", "balena0", "type", "veth", "peer", "name", "eth0");
        try (var network = OneBridge.open(DEFAULT, state)) {
            network.release("c1");
            assertEquals("", Shell.run("ip", "link", "show", "type", "veth"));
        }
    }

    @Test
    void aLinkOfSomebodyElseThatHappensToHaveTheNameIsLeftAlone() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            String name = "veth" + network.allocate("c1", Optional.empty(), List.of()).id().substring(0, 7);
            Shell.run("ip", "link", "add", name, "type", "veth", "peer", "name", "other");
            Shell.run("ip", "link", "set", name, "alias", "of somebody else");
            network.release("c1");
            assertTrue(Shell.run("ip", "link").contains(name));
        }
    }

    @Test
    void rulesOfContainersThatNobodyKnowsAreRemoved() throws IOException {
        OneBridge.open(DEFAULT, state).close();
        String before = DefaultBridgeIT.rules();
        Shell.run("iptables", "-t", "nat", "-A", "DOCKER", "-p", "tcp", "--dport", "99", "-j", "DNAT", "--to-destination", "172.17.0.9:99");
        Shell.run("iptables", "-A", "DOCKER", "-d", "172.17.0.9/32", "!", "-i", "balena0", "-o", "balena0", "-p", "tcp", "--dport", "99", "-j", "ACCEPT");
        OneBridge.open(DEFAULT, state).close();
        assertEquals(before, DefaultBridgeIT.rules());
    }

    @Test
    void anExistingBridgeIsTakenOverWithWhatItLacks() throws IOException {
        Shell.run("ip", "link", "add", "br7", "type", "bridge");
        Shell.run("ip", "addr", "add", "10.7.0.1/24", "dev", "br7");
        try (var network = OneBridge.open(new BridgeSetup("br7", Optional.empty(), 1400, true, true, true, true), state);
                var container = Host.start()) {
            assertEquals("10.7.0.0/24", network.subnet());
            network.attach(network.allocate("c1", Optional.empty(), List.of()), container.pid());
            container.run("busybox", "ping", "-c1", "-W1", "10.7.0.1");
            assertTrue(container.run("ip", "link", "show", "eth0").contains("mtu 1400"));
        }
    }

    @Test
    void anUnusedBridgeGetsTheConfiguredAddressButNotOneWithContainers() throws IOException {
        var moved = new BridgeSetup("balena0", Optional.of("10.8.0.1/24"), 0, true, true, true, true);
        OneBridge.open(DEFAULT, state).close();
        try (var network = OneBridge.open(moved, state); var container = Host.start()) {
            assertEquals("10.8.0.0/24", network.subnet());
            assertFalse(DefaultBridgeIT.rules().contains("172.17"), DefaultBridgeIT.rules());
            network.attach(network.allocate("c1", Optional.empty(), List.of()), container.pid());
            var refused = assertThrows(IOException.class,
                    () -> OneBridge.open(new BridgeSetup("balena0", Optional.of("10.9.0.1/24"), 0, true, true, true, true), state));
            assertTrue(refused.getMessage().contains("it has 10.8.0.1/24"), refused.getMessage());
        }
    }

    @Test
    void aLinkThatIsNoBridgeIsNotTakenOver() throws IOException {
        Shell.run("ip", "link", "add", "balena0", "type", "veth", "peer", "name", "other");
        var refused = assertThrows(IOException.class, () -> OneBridge.open(DEFAULT, state));
        assertEquals("cannot use balena0 as a bridge: a network link of that name exists and is of kind veth", refused.getMessage());
    }

    @Test
    void twoEnginesShareABridgeWhenEachHasARangeOfItsOwn(@TempDir Path otherState) throws IOException {
        var first = new BridgeSetup("balena0", Optional.of("10.114.101.1/24"), Optional.of("10.114.101.0/25"), 0, true, true, true, true);
        var second = new BridgeSetup("balena0", Optional.of("10.114.101.1/24"), Optional.of("10.114.101.128/25"), 0, true, false, true, true);
        try (var one = OneBridge.open(first, state); var container = Host.start(); var other = Host.start()) {
            one.attach(one.allocate("c1", Optional.empty(), port(8080)), container.pid());
            String rules = DefaultBridgeIT.rules();
            try (var two = OneBridge.open(second, otherState)) {
                assertEquals(List.of(), two.endpoints());
                var endpoint = two.allocate("c1", Optional.empty(), List.of());
                assertEquals("10.114.101.128", OneBridge.address(endpoint));
                two.attach(endpoint, other.pid());
                other.run("busybox", "ping", "-c1", "-W1", "10.114.101.2");
                two.release("c1");
                assertEquals(rules, DefaultBridgeIT.rules());
                assertNotEquals("", Shell.run("ip", "link", "show", "type", "veth"), "the first engine's");
            }
        }
    }

    @Test
    void twoEnginesNeverGiveOutTheSameAddresses(@TempDir Path otherState) throws IOException {
        try (var one = OneBridge.open(DEFAULT, state)) {
            var refused = assertThrows(IOException.class, () -> OneBridge.open(DEFAULT, otherState));
            assertTrue(refused.getMessage().startsWith("bridge balena0 is in use by another engine"), refused.getMessage());
            var part = new BridgeSetup("balena0", Optional.empty(), Optional.of(one.subnet().replace("/16", "/24")), 0, true, true, true, true);
            assertThrows(IOException.class, () -> OneBridge.open(part, otherState));
        }
        OneBridge.open(DEFAULT, otherState).close();
    }

    private static OwnEngine open(Path folder, BridgeConfig bridge, Ip... gateways) throws IOException {
        var config = new NetworksConfig(Optional.of(bridge), List.of(gateways), DefaultPools.DOCKERS, FirewallSettings.DOCKERS);
        var networks = Networks.open(config, folder.resolve("data"), folder.resolve("state"), List.of());
        return new OwnEngine(networks, new Sandboxes(networks, NetworkObserver.NONE));
    }

    @Test
    void aBridgeOfTheUsersOwnMustBeThereAndIsUsedAsItIs() throws IOException {
        var own = new BridgeConfig("own0", Optional.empty(), Optional.empty(), Optional.empty(), 0, true, true, false, Ip.ANY, false);
        var missing = assertThrows(NetworkException.class, () -> open(state, own));
        assertEquals("bridge device with non default name own0 must be created manually", missing.getMessage());
        assertEquals("", Shell.run("ip", "link", "show", "type", "bridge"));
        Shell.run("ip", "link", "add", "own0", "type", "bridge");
        Shell.run("ip", "addr", "add", "10.7.0.1/24", "dev", "own0");
        try (var engine = open(state, own); var container = Host.start()) {
            engine.start("c", container, OwnEngine.wish(engine.networks().find("bridge"), "c", "eth0"));
            assertTrue(container.run("ip", "route").contains("default via 10.7.0.1"));
        }
    }

    @Test
    void theDefaultGatewayAndARangeOfIpv6AreAsTheFlagsSay() throws IOException {
        var bridge = new BridgeConfig("balena0", Optional.of(Cidr.parse("10.7.0.1/24")), Optional.empty(), Optional.of(Cidr.parse("fd00:7::1/64")), 0,
                true, true, false, Ip.ANY, true);
        try (var engine = open(state, bridge, Ip.parse("10.7.0.2")); var container = Host.start()) {
            var endpoint = engine.start("c", container, OwnEngine.wish(engine.networks().find("bridge"), "c", "eth0")).getFirst();
            assertEquals("10.7.0.3", OwnEngine.address(endpoint), "the gateway's address is taken");
            assertTrue(container.run("ip", "route").startsWith("default via 10.7.0.2 dev eth0"));
            assertTrue(container.run("ip", "-6", "route").contains("default via fd00:7::1 dev eth0"));
            assertEquals("1", Shell.run("cat", "/proc/sys/net/ipv6/conf/all/forwarding").strip());
        }
    }
}
