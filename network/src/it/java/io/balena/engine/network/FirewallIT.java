package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(OwnMachine.class)
class FirewallIT {
    @TempDir
    Path state;

    private static final BridgeSetup DEFAULT = new BridgeSetup("balena0", Optional.empty(), 0, true, true, true, true);

    /// Printed by `iptables-save` after `dockerd --userland-proxy=false` 20.10.24 had started a container with
    /// `-p 8080:80 -p 127.0.0.1:81:80 -p 5353:53/udp` on a machine that did not forward before; `docker0` replaced by `balena0`.
    private static final String DOCKERS_RULES_WITH_PORTS = """
            *filter
            :INPUT ACCEPT
            :FORWARD DROP
            :OUTPUT ACCEPT
            :DOCKER -
            :DOCKER-ISOLATION-STAGE-1 -
            :DOCKER-ISOLATION-STAGE-2 -
            :DOCKER-USER -
            -A FORWARD -j DOCKER-USER
            -A FORWARD -j DOCKER-ISOLATION-STAGE-1
            -A FORWARD -o balena0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A FORWARD -o balena0 -j DOCKER
            -A FORWARD -i balena0 ! -o balena0 -j ACCEPT
            -A FORWARD -i balena0 -o balena0 -j ACCEPT
            -A DOCKER -d 172.17.0.2/32 ! -i balena0 -o balena0 -p tcp -m tcp --dport 80 -j ACCEPT
            -A DOCKER -d 172.17.0.2/32 ! -i balena0 -o balena0 -p udp -m udp --dport 53 -j ACCEPT
            -A DOCKER-ISOLATION-STAGE-1 -i balena0 ! -o balena0 -j DOCKER-ISOLATION-STAGE-2
            -A DOCKER-ISOLATION-STAGE-1 -j RETURN
            -A DOCKER-ISOLATION-STAGE-2 -o balena0 -j DROP
            -A DOCKER-ISOLATION-STAGE-2 -j RETURN
            -A DOCKER-USER -j RETURN
            COMMIT
            *nat
            :PREROUTING ACCEPT
            :INPUT ACCEPT
            :OUTPUT ACCEPT
            :POSTROUTING ACCEPT
            :DOCKER -
            -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
            -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
            -A POSTROUTING -o balena0 -m addrtype --src-type LOCAL -j MASQUERADE
            -A POSTROUTING -s 172.17.0.0/16 ! -o balena0 -j MASQUERADE
            -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
            -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p udp -m udp --dport 53 -j MASQUERADE
            -A DOCKER -d 127.0.0.1/32 -p tcp -m tcp --dport 81 -j DNAT --to-destination 172.17.0.2:80
            -A DOCKER -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
            -A DOCKER -p udp -m udp --dport 5353 -j DNAT --to-destination 172.17.0.2:53
            COMMIT
            """;

    /// As above, `dockerd --userland-proxy=false --icc=false --ip-masq=false` on a machine that forwarded already.
    private static final String DOCKERS_RULES_WITHOUT_ICC_AND_MASQUERADE = """
            *filter
            :INPUT ACCEPT
            :FORWARD ACCEPT
            :OUTPUT ACCEPT
            :DOCKER -
            :DOCKER-ISOLATION-STAGE-1 -
            :DOCKER-ISOLATION-STAGE-2 -
            :DOCKER-USER -
            -A FORWARD -j DOCKER-USER
            -A FORWARD -j DOCKER-ISOLATION-STAGE-1
            -A FORWARD -o balena0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A FORWARD -o balena0 -j DOCKER
            -A FORWARD -i balena0 ! -o balena0 -j ACCEPT
            -A FORWARD -i balena0 -o balena0 -j DROP
            -A DOCKER-ISOLATION-STAGE-1 -i balena0 ! -o balena0 -j DOCKER-ISOLATION-STAGE-2
            -A DOCKER-ISOLATION-STAGE-1 -j RETURN
            -A DOCKER-ISOLATION-STAGE-2 -o balena0 -j DROP
            -A DOCKER-ISOLATION-STAGE-2 -j RETURN
            -A DOCKER-USER -j RETURN
            COMMIT
            *nat
            :PREROUTING ACCEPT
            :INPUT ACCEPT
            :OUTPUT ACCEPT
            :POSTROUTING ACCEPT
            :DOCKER -
            -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
            -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
            -A POSTROUTING -o balena0 -m addrtype --src-type LOCAL -j MASQUERADE
            COMMIT
            """;

    private static List<PortBinding> ports() {
        return List.of(new PortBinding("tcp", 80, "127.0.0.1", 81), new PortBinding("tcp", 80, "", 8080), new PortBinding("udp", 53, "", 5353));
    }

    @Test
    void rulesAreThoseThatDockerLays() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            network.attach(network.allocate("c1", Optional.empty(), ports()), container.pid());
            assertEquals(DOCKERS_RULES_WITH_PORTS, rules());
        }
    }

    @Test
    void withoutIccAndMasqueradeTooRulesAreThoseThatDockerLays() throws IOException {
        Files.writeString(Path.of("/proc/sys/net/ipv4/ip_forward"), "1");
        var config = new BridgeSetup("balena0", Optional.empty(), 0, true, true, false, false);
        try (var network = OneBridge.open(config, state)) {
            assertEquals(DOCKERS_RULES_WITHOUT_ICC_AND_MASQUERADE, rules());
        }
    }

    @Test
    void openingAgainAddsNoRuleTwice() throws IOException {
        try (var container = Host.start()) {
            try (var network = OneBridge.open(DEFAULT, state)) {
                network.attach(network.allocate("c1", Optional.empty(), ports()), container.pid());
            }
            try (var network = OneBridge.open(DEFAULT, state)) {
                assertEquals(DOCKERS_RULES_WITH_PORTS, rules());
            }
        }
    }

    @Test
    void otherSettingsReplaceTheRulesOfTheFormerOnes() throws IOException {
        OneBridge.open(DEFAULT, state).close();
        Shell.run("iptables", "-P", "FORWARD", "ACCEPT");
        OneBridge.open(new BridgeSetup("balena0", Optional.empty(), 0, true, true, false, false), state).close();
        assertEquals(DOCKERS_RULES_WITHOUT_ICC_AND_MASQUERADE, rules());
        OneBridge.open(DEFAULT, state).close();
        assertTrue(rules().contains("-A FORWARD -i balena0 -o balena0 -j ACCEPT"));
        assertTrue(!rules().contains("-j DROP\n-A DOCKER "), rules());
    }

    @Test
    void rulesOfOthersStayWhereTheyAre() throws IOException {
        Shell.run("iptables", "-N", "DOCKER-USER");
        Shell.run("iptables", "-A", "DOCKER-USER", "-s", "203.0.113.7/32", "-j", "DROP");
        Shell.run("iptables", "-A", "FORWARD", "-i", "wan0", "-j", "DROP");
        Shell.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "10.0.0.0/8", "-j", "MASQUERADE");
        String before = rules();
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            network.attach(network.allocate("c1", Optional.empty(), ports()), container.pid());
            network.release("c1");
        }
        String after = rules();
        before.lines().filter(line -> line.startsWith("-A")).forEach(line -> assertTrue(after.lines().anyMatch(line::equals), line + "\n" + after));
    }

    @Test
    void rulesThatSomebodyFlushedComeBackWithTheNextChange() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var one = Host.start(); var two = Host.start()) {
            network.attach(network.allocate("c1", Optional.empty(), List.of(new PortBinding("tcp", 80, "", 8080))), one.pid());
            for (String table : List.of("filter", "nat")) {
                Shell.run("iptables", "-t", table, "-F");
                Shell.run("iptables", "-t", table, "-X");
            }
            network.attach(network.allocate("c2", Optional.empty(), List.of(new PortBinding("tcp", 80, "", 8081))), two.pid());
            one.serveTcp(80);
            two.serveTcp(80);
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8080));
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8081));
            Shell.run("iptables", "-t", "nat", "-F", "DOCKER");
            network.release("c1");
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8081));
            assertThrows(IOException.class, () -> Host.tcpBriefly("127.0.0.1", 8080));
        }
    }

    @Test
    void theOlderTablesAreServedAsWell() throws IOException {
        var restore = Path.of("/usr/sbin/iptables-legacy-restore");
        assumeTrue(Files.isExecutable(restore), "needs iptables-legacy");
        var iptables = new Iptables(restore, Path.of("/usr/sbin/iptables-legacy-save"));
        var subnet = Subnet.parse("172.17.0.0/16");
        var endpoint = endpoint("e", "172.17.0.2");
        var rules = new BridgeRules("balena0", subnet, subnet, true, true, false);
        var firewall = new Firewall(iptables);
        firewall.dropForwarding();
        firewall.add(rules, List.of());
        firewall.publish(endpoint.id(), rules.of(endpoint));
        var expected = DOCKERS_RULES_WITH_PORTS.lines().filter(line -> line.startsWith("-A")).sorted().toList();
        assertEquals(expected, legacyRules());
        new Firewall(iptables).add(rules, List.of(endpoint));
        assertEquals(expected, legacyRules());
        firewall.withdraw(endpoint.id());
        assertEquals(0, legacyRules().stream().filter(rule -> rule.contains("172.17.0.2")).count());
        firewall.remove(rules);
        assertEquals(0, legacyRules().stream().filter(rule -> rule.contains("balena0")).count());
    }

    private static List<String> legacyRules() throws IOException {
        return Shell.run("iptables-legacy-save").lines().filter(line -> line.startsWith("-A")).sorted().toList();
    }

    @Test
    void rulesThatCouldNotBeRemovedAreRemovedByTheNextAttempt(@TempDir Path programs) throws IOException {
        var subnet = Subnet.parse("172.17.0.0/16");
        Path restore = programs.resolve("iptables-restore");
        Files.createSymbolicLink(restore, Path.of("/usr/sbin/iptables-restore"));
        var firewall = new Firewall(new Iptables(restore, Path.of("/usr/sbin/iptables-save")));
        var rules = new BridgeRules("balena0", subnet, subnet, true, true, false);
        firewall.add(rules, List.of());
        String before = rules();
        firewall.publish("e", rules.of(endpoint("e", "172.17.0.2")));

        Files.delete(restore);
        assertThrows(IOException.class, () -> firewall.withdraw("e"));
        assertThrows(IOException.class, () -> firewall.publish("f", rules.of(endpoint("f", "172.17.0.3"))));
        Files.createSymbolicLink(restore, Path.of("/usr/sbin/iptables-restore"));
        firewall.withdraw("e");
        assertEquals(before, rules());
    }

    @Test
    void aRuleThatTheKernelRefusesFailsOneContainerAlone() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            String before = rules();
            var subnet = Subnet.parse("172.17.0.0/16");
            var firewall = new Firewall(Iptables.find(false).orElseThrow());
            firewall.add(new BridgeRules("balena0", subnet, subnet, true, true, false), List.of());
            var wrong = new FirewallRule("nat", "DOCKER", "-p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.999:80");
            var refused = assertThrows(IOException.class, () -> firewall.publish("e", List.of(wrong)));
            assertTrue(refused.getMessage().contains("iptables-restore"), refused.getMessage());
            assertEquals(before, rules());
            assertEquals("172.17.0.0/16", network.subnet());
        }
    }

    @Test
    void twoBridgesAreKeptApartAndEachRemovesItsOwnRulesOnly(@TempDir Path secondState) throws IOException {
        var second = new BridgeSetup("other0", Optional.of("10.5.0.1/24"), 0, true, true, true, true);
        try (var one = OneBridge.open(DEFAULT, state); var two = OneBridge.open(second, secondState);
                var first = Host.start(); var other = Host.start()) {
            one.attach(one.allocate("c1", Optional.empty(), List.of(new PortBinding("tcp", 80, "", 8080))), first.pid());
            String before = rules();
            two.attach(two.allocate("c2", Optional.empty(), List.of(new PortBinding("tcp", 80, "", 8081))), other.pid());
            other.serveTcp(80);
            assertThrows(SocketTimeoutException.class, () -> first.askTcpBriefly("10.5.0.2", 80));
            assertEquals("10.5.0.1", Host.tcp("127.0.0.1", 8081));
            two.release("c2");
            assertEquals(before, rules());
        }
        OneBridge.open(DEFAULT, state).close();
        OneBridge.open(second, secondState).close();
        assertEquals(1, rules().lines().filter("-A FORWARD -j DOCKER-USER"::equals).count());
        assertEquals(1, rules().lines().filter("-A FORWARD -i other0 ! -o other0 -j ACCEPT"::equals).count());
    }

    @Test
    void withoutIptablesNoRuleIsMade() throws IOException {
        var config = new BridgeSetup("balena0", Optional.empty(), 0, true, false, true, true);
        try (var network = OneBridge.open(config, state); var container = Host.start()) {
            network.attach(network.allocate("c1", Optional.empty(), ports()), container.pid());
            container.run("busybox", "ping", "-c1", "-W1", "172.17.0.1");
            assertThrows(ConnectException.class, () -> Host.tcpBriefly("127.0.0.1", 8080), "refused, and not left waiting");
            assertThrows(PortUnavailable.class, () -> network.allocate("c2", Optional.empty(), ports()));
            network.release("c1");
            assertEquals("", rules());
        }
    }

    private static Endpoint endpoint(String id, String address) {
        var of = new Membership("n", "n", false, id, id, List.of(), List.of(), 0);
        var ports = ports().stream().flatMap(port -> port.of(true, false, Ip.ANY).stream()).toList();
        return new Endpoint(id, of, List.of(new Placement(Cidr.parse(address + "/16"), Ip.parse("172.17.0.1"))), Ip.parse(address).mac(), "eth0",
                ports, List.of());
    }

    private static String rules() throws IOException {
        return DefaultBridgeIT.rules();
    }
}
