package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(OwnMachine.class)
class DefaultBridgeIT {
    @TempDir
    Path state;

    private static final BridgeSetup DEFAULT = config(Optional.empty(), true);

    private static BridgeSetup config(Optional<String> address, boolean icc) {
        return new BridgeSetup("balena0", address, 0, true, true, true, icc);
    }

    private static Endpoint attach(OneBridge network, String container, Host host, PortBinding... ports) throws IOException {
        var endpoint = network.allocate(container, Optional.empty(), List.of(ports));
        network.attach(endpoint, host.pid());
        return endpoint;
    }

    private static PortBinding tcp(int container, int host) {
        return new PortBinding("tcp", container, "", host);
    }

    @Test
    void aContainerGetsEth0WithAddressAndDefaultRoute() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            var endpoint = attach(network, "c1", container);
            assertEquals("172.17.0.2", OneBridge.address(endpoint));
            assertEquals("02:42:ac:11:00:02", endpoint.mac().toString());
            assertEquals("172.17.0.0/16", network.subnet());
            assertEquals("default via 172.17.0.1 dev eth0 \n172.17.0.0/16 dev eth0 proto kernel scope link src 172.17.0.2 \n",
                    container.run("ip", "route"));
            String addresses = container.run("ip", "addr");
            assertTrue(addresses.contains("inet 172.17.0.2/16 brd 172.17.255.255 scope global eth0"), addresses);
            assertTrue(addresses.contains("link/ether 02:42:ac:11:00:02"), addresses);
            assertTrue(addresses.contains("inet 127.0.0.1/8"), addresses);
            assertFalse(addresses.contains("inet6"), addresses);
        }
    }

    @Test
    void containersReachTheGatewayAndEachOther() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var one = Host.start(); var two = Host.start()) {
            attach(network, "c1", one);
            attach(network, "c2", two);
            one.run("busybox", "ping", "-c1", "-W1", "172.17.0.1");
            two.serveTcp(80);
            assertEquals("172.17.0.2", one.askTcp("172.17.0.3", 80));
        }
    }

    @Test
    void aContainerLeavesTheMachineWithTheMachinesAddress() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var outside = Host.outside(); var container = Host.start()) {
            attach(network, "c1", container);
            outside.serveTcp(80).serveUdp(53);
            assertEquals("198.51.100.1", container.askTcp("198.51.100.2", 80));
            assertEquals("198.51.100.1", container.askUdp("198.51.100.2", 53));
        }
    }

    @Test
    void withoutIccContainersReachTheWorldButNotEachOther() throws IOException {
        try (var network = OneBridge.open(config(Optional.empty(), false), state);
                var outside = Host.outside(); var one = Host.start(); var two = Host.start()) {
            attach(network, "c1", one);
            attach(network, "c2", two);
            two.serveTcp(80);
            outside.serveTcp(80);
            assertThrows(SocketTimeoutException.class, () -> one.askTcpBriefly("172.17.0.3", 80));
            assertEquals("198.51.100.1", one.askTcp("198.51.100.2", 80));
        }
    }

    @Test
    void aPublishedPortIsReachedFromEverywhere() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state);
                var outside = Host.outside(); var container = Host.start(); var neighbour = Host.start()) {
            attach(network, "c1", container, tcp(80, 8080), new PortBinding("udp", 53, "", 5353));
            attach(network, "c2", neighbour);
            container.serveTcp(80).serveUdp(53);
            assertEquals("198.51.100.2", outside.askTcp("198.51.100.1", 8080));
            assertEquals("198.51.100.2", outside.askUdp("198.51.100.1", 5353));
            assertEquals("172.17.0.1", Host.tcp("198.51.100.1", 8080));
            assertEquals("172.17.0.1", Host.tcp("127.0.0.1", 8080));
            assertEquals("172.17.0.1", Host.udp("127.0.0.1", 5353));
            assertEquals("172.17.0.3", neighbour.askTcp("198.51.100.1", 8080));
            assertEquals("172.17.0.1", container.askTcp("198.51.100.1", 8080), "hairpin");
        }
    }

    @Test
    void aUdpSenderThatNeverPausesFollowsThePortToItsNextContainer() throws IOException {
        var port = new PortBinding("udp", 53, "", 5353);
        try (var network = OneBridge.open(DEFAULT, state);
                var outside = Host.outside(); var one = Host.start(); var two = Host.start(); var three = Host.start();
                var sender = outside.udpSender("198.51.100.1", 5353)) {
            assertThrows(IOException.class, () -> Host.exchange(sender), "nobody there yet");
            attach(network, "c1", one, port);
            one.serveUdp(53);
            assertEquals("198.51.100.2", Host.exchange(sender));
            attach(network, "c2", two);
            network.release("c1");
            attach(network, "c3", three);
            network.release("c2");
            attach(network, "c4", two, port);
            two.serveUdp(53);
            assertEquals("198.51.100.2", Host.exchange(sender));
        }
    }

    @Test
    void releaseLeavesNothingBehind() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state); var container = Host.start()) {
            String links = Shell.run("ip", "-o", "link").replaceAll("state.*|<.*?>", "");
            String rules = rules();
            attach(network, "c1", container, tcp(80, 8080), tcp(80, 0));
            network.release("c1");
            assertEquals(links, Shell.run("ip", "-o", "link").replaceAll("state.*|<.*?>", ""));
            assertEquals(rules, rules());
            assertEquals("", Shell.run("ss", "-Hltn"));
            assertEquals(List.of(), network.endpoints());
            try (var files = Files.walk(state)) {
                assertEquals(List.of(), files.filter(Files::isRegularFile).toList());
            }
        }
    }

    @Test
    void aContainerWhoseNamespaceIsGoneIsReleasedAllTheSame() throws IOException {
        try (var network = OneBridge.open(DEFAULT, state)) {
            String rules = rules();
            try (var container = Host.start()) {
                attach(network, "c1", container, tcp(80, 8080));
            }
            network.release("c1");
            network.release("c1");
            assertEquals(rules, rules());
            assertEquals("172.17.0.2", OneBridge.address(network.allocate("c2", Optional.empty(), List.of(tcp(80, 8080)))));
        }
    }

    static String rules() throws IOException {
        return Shell.run("iptables-save").replaceAll("(?m)^#.*\n", "").replaceAll("\\[\\d+:\\d+]", "").replace(" \n", "\n");
    }
}
