package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.BoundPort;
import io.balena.engine.linux.Errno;
import io.balena.engine.network.address.Ip;
import io.balena.engine.linux.ErrnoException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// What goes wrong says so in Docker's words, and leaves nothing behind.
@ExtendWith(OwnMachine.class)
class AllocationIT {
    @TempDir
    Path state;

    private static final BridgeSetup DEFAULT = new BridgeSetup("balena0", Optional.empty(), 0, true, true, true, true);

    /// As published: on all addresses.
    private static PortBinding open(int container, int host) {
        return new PortBinding("tcp", container, "0.0.0.0", host);
    }

    private static PortBinding tcp(int container, int host) {
        return new PortBinding("tcp", container, "", host);
    }

    private static Endpoint allocate(OneBridge network, String container, PortBinding... ports) throws IOException {
        return network.allocate(container, Optional.empty(), List.of(ports));
    }

    @Test
    void aFullNetworkSaysSoInDockersWords() throws IOException {
        var tiny = new BridgeSetup("balena0", Optional.of("10.0.0.1/30"), 0, true, true, true, true);
        try (var network = OneBridge.open(tiny, state)) {
            assertEquals("10.0.0.2", OneBridge.address(allocate(network, "c1")));
            var full = assertThrows(NetworkException.class, () -> allocate(network, "c2"));
            assertEquals("no available IPv4 addresses on this network's address pools: bridge (balena0)", full.getMessage());
            network.release("c1");
            assertEquals("10.0.0.2", OneBridge.address(allocate(network, "c2")));
        }
    }

    @Test
    void aPortOfAnotherContainerOrProcessIsRefusedInDockersWords() throws IOException {
        var loopback = Ip.parse("127.0.0.1").inet();
        try (var network = OneBridge.open(DEFAULT, state); var _ = BoundPort.open(BoundPort.Protocol.TCP, loopback, 99, true)) {
            allocate(network, "c1", tcp(80, 80));
            var taken = assertThrows(PortUnavailable.class, () -> allocate(network, "c2", tcp(81, 81), tcp(80, 80)));
            assertTrue(taken.messageFor("web").matches("driver failed programming external connectivity on endpoint web \\([0-9a-f]{64}\\): "
                    + "Bind for 0\\.0\\.0\\.0:80 failed: port is already allocated"), taken.messageFor("web"));
            var part = assertThrows(PortUnavailable.class, () -> allocate(network, "c2", new PortBinding("tcp", 80, "127.0.0.1", 80)));
            assertEquals("Bind for 127.0.0.1:80 failed: port is already allocated", part.getMessage());
            var foreign = assertThrows(PortUnavailable.class, () -> allocate(network, "c2", tcp(99, 99)));
            assertEquals("listen tcp4 0.0.0.0:99: bind: address already in use", foreign.getMessage());
            var elsewhere = assertThrows(PortUnavailable.class, () -> allocate(network, "c2", new PortBinding("tcp", 80, "10.9.9.9", 8080)));
            assertEquals("listen tcp4 10.9.9.9:8080: bind: cannot assign requested address", elsewhere.getMessage());
            // Neither port nor address was lost to the failures.
            assertEquals("172.17.0.3", OneBridge.address(allocate(network, "c2", tcp(81, 81), new PortBinding("udp", 80, "", 80))));
        }
    }

    @Test
    void randomPortsPassOverThoseInUse() throws IOException {
        Files.writeString(Path.of("/proc/sys/net/ipv4/ip_local_port_range"), "40000 40003");
        try (var network = OneBridge.open(DEFAULT, state); var _ = BoundPort.open(BoundPort.Protocol.TCP, Ip.ANY.inet(), 40001, true)) {
            assertEquals(List.of(open(80, 40000), open(81, 40002)), allocate(network, "c1", tcp(80, 0), tcp(81, 0)).ports());
            assertEquals(List.of(open(80, 40003)), allocate(network, "c2", tcp(80, 0)).ports());
            assertThrows(PortUnavailable.class, () -> allocate(network, "c3", tcp(80, 0)));
            network.release("c2");
            assertEquals(List.of(open(80, 40003)), allocate(network, "c3", tcp(80, 0)).ports());
        }
    }

    @Test
    void portsOnIpv6AddressesAreLeftOutOfANetworkWithoutIpv6() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            assertEquals(List.of(open(80, 80)), allocate(network, "c1", new PortBinding("tcp", 80, "::1", 80), tcp(80, 80)).ports());
        }
    }

    @Test
    void aContainerHasOnePlace() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            var first = allocate(network, "c1");
            assertThrows(IOException.class, () -> allocate(network, "c1"));
            assertEquals(List.of(first), network.endpoints());
            assertThrows(IllegalArgumentException.class, () -> allocate(network, "../c1"));
            assertThrows(IllegalArgumentException.class, () -> network.allocate("c2", Optional.of("not a mac"), List.of()));
            assertEquals("172.17.0.3", OneBridge.address(network.allocate("c2", Optional.of("02:11:22:33:44:55"), List.of())));
        }
    }

    @Test
    void aRecordThatCannotBeWrittenFailsTheAllocationAlone() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            Files.delete(state.resolve("balena0"));
            assertThrows(IOException.class, () -> allocate(network, "c1", tcp(80, 80)));
            assertEquals(List.of(), network.endpoints());
            Files.createDirectory(state.resolve("balena0"));
            assertEquals("172.17.0.2", OneBridge.address(allocate(network, "c1", tcp(80, 80))));
        }
    }

    @Test
    void theMachinesOwnNamespaceIsNeverTakenForAContainers() throws Exception {
        try (var network = OneBridge.open(DEFAULT, state)) {
            var endpoint = allocate(network, "c1");
            // A process of this test's machine.
            var process = new ProcessBuilder("sleep", "600").start();
            try {
                var refused = assertThrows(IOException.class, () -> network.attach(endpoint, (int) process.pid()));
                assertTrue(refused.getMessage().endsWith("is in the machine's own network namespace"), refused.getMessage());
            } finally {
                process.destroyForcibly().waitFor();
            }
            var gone = assertThrows(ErrnoException.class, () -> network.attach(endpoint, (int) process.pid()));
            assertEquals(Errno.ENOENT, gone.errno());
            assertEquals("", Shell.run("ip", "link", "show", "type", "veth"));
        }
    }

    @Test
    void anAttachmentThatFailsHalfwayLeavesNoLink() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            var endpoint = allocate(network, "c1", tcp(80, 80));
            String rules = DefaultBridgeIT.rules();
            // It has a default route already: everything succeeds but the last step.
            container.run("ip", "link", "set", "lo", "up");
            container.run("ip", "route", "add", "default", "dev", "lo");
            assertThrows(IOException.class, () -> network.attach(endpoint, container.pid()));
            assertEquals("", Shell.run("ip", "link", "show", "type", "veth"));
            assertEquals(rules, DefaultBridgeIT.rules());
            container.run("ip", "route", "del", "default");
            network.attach(endpoint, container.pid());
            assertThrows(IOException.class, () -> network.attach(endpoint, container.pid()), "twice");
            container.serveTcp(80);
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 80));
        }
    }

    @Test
    void aContainersOwnHardwareAddressIsUsed() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            network.attach(network.allocate("c1", Optional.of("02:11:22:33:44:55"), List.of()), container.pid());
            assertTrue(container.run("ip", "link", "show", "eth0").contains("02:11:22:33:44:55"));
        }
    }
}
