package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// Many networks, and containers on several of them, with real traffic.
@ExtendWith(OwnMachine.class)
class NetworksIT {
    @TempDir
    Path folder;

    private static PortBinding tcp(int container, int host) {
        return new PortBinding("tcp", container, "", host);
    }

    private static String rules(String program) throws IOException {
        return Shell.run(program).replaceAll("(?m)^#.*\n", "").replaceAll("\\[\\d+:\\d+]", "").replace(" \n", "\n");
    }

    @Test
    void containersReachOthersOnTheirNetworksAndNoneElsewhere() throws IOException {
        try (var engine = OwnEngine.open(folder); var one = Host.start(); var two = Host.start(); var both = Host.start()) {
            var a = engine.create("a", "10.1.0.0/24");
            var b = engine.create("b", "10.2.0.0/24");
            engine.start("one", one, OwnEngine.wish(a, "one", "eth0"));
            engine.start("two", two, OwnEngine.wish(b, "two", "eth0"));
            engine.start("both", both, OwnEngine.wish(b, "both", "eth0"), OwnEngine.wish(a, "both", "eth1"));
            both.serveTcp(80);
            two.serveTcp(80);
            assertEquals("10.1.0.2", one.askTcp("10.1.0.3", 80));
            assertEquals("10.2.0.2", two.askTcp("10.2.0.3", 80));
            assertThrows(SocketTimeoutException.class, () -> one.askTcpBriefly("10.2.0.2", 80));
            assertTrue(both.run("ip", "route").startsWith("default via 10.1.0.1 dev eth1"), "the first by name leads out");
        }
    }

    @Test
    void aRunningContainerIsConnectedAndDisconnectedAndItsPortsFollowItsWayOut() throws IOException {
        try (var engine = OwnEngine.open(folder); var outside = Host.outside(); var container = Host.start()) {
            var m = engine.create("m", "10.1.0.0/24");
            var a = engine.create("a", "10.2.0.0/24");
            engine.start("c", container, OwnEngine.wish(m, "c", "eth0", tcp(80, 8080)));
            container.serveTcp(80);
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080));
            engine.sandboxes().connect(OwnEngine.wish(a, "c", "eth1", tcp(80, 8080)));
            assertTrue(container.run("ip", "route").startsWith("default via 10.2.0.1 dev eth1"));
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080));
            assertEquals(List.of(), engine.networks().endpoints(m.id()).getFirst().ports());
            engine.sandboxes().disconnect("c", a, List.of(tcp(80, 8080)));
            assertTrue(container.run("ip", "route").startsWith("default via 10.1.0.1 dev eth0"));
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080));
            outside.serveTcp(99);
            assertEquals("198.51.100.1", container.askTcp("198.51.100.2", 99));
            engine.sandboxes().disconnect("c", m, List.of());
            assertEquals("", container.run("ip", "route"));
            assertThrows(IOException.class, () -> outside.askTcpBriefly("198.51.100.1", 8080));
            assertEquals("", Shell.run("ip", "link", "show", "type", "veth").replaceAll("(?s)\\d+: wan0.*?\n.*?\n", ""));
        }
    }

    @Test
    void thePriorityOfGatewaysDecidesWhereTheDefaultRouteLeads() throws IOException {
        try (var engine = OwnEngine.open(folder); var container = Host.start()) {
            var a = engine.create("a", "10.1.0.0/24");
            var z = engine.create("z", "10.2.0.0/24");
            var of = new Membership(z.id(), "z", false, "c", "c", List.of(), List.of(), 7);
            engine.start("c", container, OwnEngine.wish(a, "c", "eth0"),
                    new EndpointRequest(of, List.of(), Optional.empty(), "eth1", List.of(), List.of()));
            assertTrue(container.run("ip", "route").startsWith("default via 10.2.0.1 dev eth1"));
        }
    }

    @Test
    void nothingLeadsOutOfAnInternalNetwork() throws IOException {
        try (var engine = OwnEngine.open(folder); var outside = Host.outside(); var one = Host.start(); var two = Host.start()) {
            var asked = OwnEngine.request("in", "10.1.0.0/24");
            var network = engine.networks().create(new NetworkRequest("in", "bridge", false, true, false, false, "", "default", Map.of(),
                    asked.ipam(), Map.of(), Map.of()));
            engine.start("one", one, OwnEngine.wish(network, "one", "eth0", tcp(80, 8080)));
            engine.start("two", two, OwnEngine.wish(network, "two", "eth0"));
            outside.serveTcp(80);
            one.serveTcp(80);
            assertEquals("10.1.0.3", two.askTcp("10.1.0.2", 80));
            assertThrows(SocketTimeoutException.class, () -> one.askTcpBriefly("198.51.100.2", 80));
            outside.run("ip", "route", "add", "10.1.0.0/24", "via", "198.51.100.1");
            assertThrows(IOException.class, () -> outside.askTcpBriefly("10.1.0.2", 80));
            assertThrows(IOException.class, () -> outside.askTcpBriefly("198.51.100.1", 8080), "nor is anything published");
        }
    }

    @Test
    void ipv6IsGivenRoutedAndPublished() throws IOException {
        try (var engine = OwnEngine.open(folder); var outside = Host.outside(); var one = Host.start(); var two = Host.start()) {
            Shell.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", "wan0", "nodad");
            outside.run("ip", "addr", "add", "2001:db8:1::2/64", "dev", "wan1", "nodad");
            var network = engine.create("six", "10.1.0.0/24", "fd00:1::/64");
            var first = engine.start("one", one, OwnEngine.wish(network, "one", "eth0", tcp(80, 8080))).getFirst();
            assertEquals(List.of("0.0.0.0:8080", ":::8080"), first.ports().stream().map(port -> port.hostAddress() + ":" + port.hostPort()).toList());
            engine.start("two", two, OwnEngine.wish(network, "two", "eth0", List.of(Ip.parse("fd00:1::77"))));
            one.serveTcp6(80);
            outside.serveTcp6(81);
            assertEquals("fd00:1:0:0:0:0:0:77", two.askTcp("fd00:1::2", 80));
            assertEquals("2001:db8:1:0:0:0:0:1", one.askTcp("2001:db8:1::2", 81), "under the machine's address");
            assertEquals("2001:db8:1:0:0:0:0:2", outside.askTcp("2001:db8:1::1", 8080));
            assertEquals("fd00:1:0:0:0:0:0:1", one.askTcp("2001:db8:1::1", 8080), "hairpin");
            String before = rules("ip6tables-save");
            engine.sandboxes().leave("one");
            assertFalse(rules("ip6tables-save").contains("8080"));
            assertTrue(before.contains("--to-destination [fd00:1::2]:80"));
            engine.sandboxes().leave("two");
            engine.networks().remove("six");
            assertFalse(rules("ip6tables-save").contains("fd00:1"), rules("ip6tables-save"));
        }
    }

    @Test
    void macvlanPutsContainersOnTheWireOfTheMachine() throws IOException {
        try (var engine = OwnEngine.open(folder); var outside = Host.outside(); var one = Host.start(); var two = Host.start()) {
            var network = engine.networks().create(OwnEngine.request("mv", "macvlan", Map.of("parent", "wan0"), "198.51.100.0/24"));
            engine.start("one", one, OwnEngine.wish(network, "one", "eth0", List.of(Ip.parse("198.51.100.20"))));
            engine.start("two", two, OwnEngine.wish(network, "two", "eth0", List.of(Ip.parse("198.51.100.21"))));
            one.serveTcp(80);
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.20", 80));
            assertEquals("198.51.100.21", two.askTcp("198.51.100.20", 80));
            assertTrue(one.run("ip", "-d", "link", "show", "eth0").contains("macvlan mode bridge"));
            assertTrue(one.run("ip", "route").startsWith("default via 198.51.100.1 dev eth0"));
            engine.sandboxes().disconnect("one", network, List.of());
            assertFalse(one.run("ip", "-o", "link").contains("eth0"));
            var busy = assertThrows(NetworkException.class, () -> engine.networks().remove("mv"));
            assertTrue(busy.getMessage().endsWith("has active endpoints"), busy.getMessage());
            engine.sandboxes().disconnect("two", network, List.of());
            engine.networks().remove("mv");
            assertTrue(Shell.run("ip", "-o", "link").contains("wan0"), "the parent is the machine's own");
        }
    }

    @Test
    void aMacvlanThatIsPrivateKeepsContainersApart() throws IOException {
        try (var engine = OwnEngine.open(folder); var outside = Host.outside(); var one = Host.start(); var two = Host.start()) {
            var network = engine.networks().create(
                    OwnEngine.request("mv", "macvlan", Map.of("parent", "wan0", "macvlan_mode", "private"), "198.51.100.0/24"));
            engine.start("one", one, OwnEngine.wish(network, "one", "eth0", List.of(Ip.parse("198.51.100.20"))));
            engine.start("two", two, OwnEngine.wish(network, "two", "eth0", List.of(Ip.parse("198.51.100.21"))));
            one.serveTcp(80);
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.20", 80));
            assertThrows(IOException.class, () -> two.askTcpBriefly("198.51.100.20", 80));
        }
    }

    @Test
    void whatFailsLeavesNothing() throws IOException {
        try (var engine = OwnEngine.open(folder)) {
            engine.create("a", "10.1.0.0/24");
            String links = Shell.run("ip", "-o", "link");
            String rules = rules("iptables-save");
            assertEquals(NetworkException.Kind.FORBIDDEN, failure(() -> engine.create("b", "10.1.0.128/25")).kind());
            assertEquals(NetworkException.Kind.CONFLICT, failure(() -> engine.create("a", "10.2.0.0/24")).kind());
            assertEquals("network with name a already exists", failure(() -> engine.create("a")).getMessage());
            Shell.run("ip", "link", "add", "taken0", "type", "veth", "peer", "name", "taken1");
            assertThrows(IOException.class, () -> engine.networks().create(
                    OwnEngine.request("c", "bridge", Map.of("com.docker.network.bridge.name", "taken0"), "10.3.0.0/24")));
            Shell.run("ip", "link", "del", "taken0");
            assertEquals(links, Shell.run("ip", "-o", "link"));
            assertEquals(rules, rules("iptables-save"));
            engine.create("b", "10.3.0.0/24");
            assertEquals(List.of("balena0"), engine.networks().all().stream().filter(NetworkRecord::predefined)
                    .map(record -> record.options().get("com.docker.network.bridge.name")).filter(Objects::nonNull).toList());
        }
    }

    private interface Attempt {
        void run() throws IOException;
    }

    private static NetworkException failure(Attempt attempt) {
        return assertThrows(NetworkException.class, attempt::run);
    }

    @Test
    void aRemovedNetworkLeavesNeitherLinkNorRuleNorFile() throws IOException {
        try (var engine = OwnEngine.open(folder); var container = Host.start()) {
            String links = Shell.run("ip", "-o", "link");
            String rules = rules("iptables-save");
            for (String name : List.of("a", "b")) engine.create(name);
            var network = engine.networks().find("a");
            engine.start("c", container, OwnEngine.wish(network, "c", "eth0", tcp(80, 8080)));
            assertTrue(failure(() -> engine.networks().remove("a")).getMessage().endsWith("id " + network.id() + " has active endpoints"));
            engine.sandboxes().leave("c");
            engine.networks().remove("a");
            engine.networks().remove("b");
            assertEquals(links, Shell.run("ip", "-o", "link"));
            assertEquals(rules, rules("iptables-save"));
            assertEquals("network a not found", failure(() -> engine.networks().find("a")).getMessage());
            try (var files = Files.walk(folder)) {
                assertEquals(List.of(), files.filter(Files::isRegularFile).toList());
            }
        }
    }

    @Test
    void networksAndContainersAreTheSameAfterARestart() throws IOException {
        try (var outside = Host.outside(); var container = Host.start()) {
            List<NetworkRecord> before;
            List<Endpoint> endpoints;
            try (var engine = OwnEngine.open(folder)) {
                var a = engine.create("a");
                var b = engine.create("b", "10.2.0.0/24", "fd00:2::/64");
                endpoints = engine.start("c", container, OwnEngine.wish(a, "c", "eth0", tcp(80, 8080)), OwnEngine.wish(b, "c", "eth1", tcp(80, 8080)));
                before = engine.networks().all().stream().filter(record -> !record.predefined()).toList();
            }
            container.serveTcp(80);
            String rules = rules("iptables-save");
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080), "without a daemon");
            try (var engine = OwnEngine.open(folder)) {
                assertEquals(before, engine.networks().all().stream().filter(record -> !record.predefined()).toList());
                assertEquals(endpoints, engine.sandboxes().endpoints("c"));
                assertEquals(rules, rules("iptables-save"));
                engine.sandboxes().resume("c", container.pid());
                engine.sandboxes().disconnect("c", engine.networks().find("b"), List.of(tcp(80, 8080)));
                assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080));
                assertThrows(NetworkException.class, () -> engine.create("d", "10.2.0.0/25"), "the subnet is still taken");
            }
        }
    }

    @Test
    void aDamagedRecordCostsItsNetworkAlone() throws IOException {
        String lost;
        try (var engine = OwnEngine.open(folder)) {
            engine.create("a", "10.1.0.0/24");
            // No beginning of another's id.
            lost = engine.create("lost", "10.2.0.0/24").id();
        }
        Files.writeString(folder.resolve("data/network/networks/" + lost + ".json"), "{\"id\":");
        try (var engine = OwnEngine.open(folder)) {
            assertEquals("a", engine.networks().find("a").name());
            assertThrows(NetworkException.class, () -> engine.networks().find("lost"));
        }
    }

    @Test
    void twoEnginesOnOneMachineHaveNetworksOfTheirOwn(@TempDir Path second) throws IOException {
        try (var one = OwnEngine.open(folder); var two = OwnEngine.open(second, "other0", FirewallSettings.DOCKERS);
                var mine = Host.start(); var theirs = Host.start()) {
            var a = one.create("a");
            var b = two.create("a");
            assertFalse(a.ipam().pools().getFirst().subnet().overlaps(b.ipam().pools().getFirst().subnet()), "both chose, neither the same");
            one.start("c", mine, OwnEngine.wish(a, "c", "eth0", tcp(80, 8080)));
            String rules = rules("iptables-save");
            two.start("c", theirs, OwnEngine.wish(b, "c", "eth0", tcp(80, 8081)));
            mine.serveTcp(80);
            theirs.serveTcp(80);
            assertEquals(a.ipam().pools().getFirst().gateway().toString(), Host.tcp("127.0.0.1", 8080));
            assertEquals(b.ipam().pools().getFirst().gateway().toString(), Host.tcp("127.0.0.1", 8081));
            two.sandboxes().leave("c");
            assertEquals(rules, rules("iptables-save"));
            two.networks().remove("a");
            assertEquals(a.ipam().pools().getFirst().gateway().toString(), Host.tcp("127.0.0.1", 8080));
        }
    }

    @Test
    void whatSomebodyFlushesIsPutRightAtOnce() throws Exception {
        try (var engine = OwnEngine.open(folder); var container = Host.start()) {
            engine.start("c", container, OwnEngine.wish(engine.create("a", "10.1.0.0/24"), "c", "eth0", tcp(80, 8080)));
            container.serveTcp(80);
            String rules = rules("iptables-save");
            Shell.run("sh", "-c", "iptables-save | sed '/^-A/d' | iptables-restore; iptables -A INPUT -s 192.0.2.1/32 -j DROP");
            become(() -> rules("iptables-save").replace("-A INPUT -s 192.0.2.1/32 -j DROP\n", "").equals(rules));
            assertTrue(rules("iptables-save").contains("192.0.2.1"), "what others made is left alone");
            assertEquals("10.1.0.1", Host.tcp("127.0.0.1", 8080));
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    /// However slow the machine is at present.
    private static void become(Condition condition) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) throw new AssertionError("did not happen:\n" + rules("iptables-save"));
            Thread.sleep(20);
        }
    }
}
