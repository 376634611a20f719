package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.nio.file.Files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// `--network bridge` (the default), `host` and `none`. The engine has a network namespace of its own, which plays the
/// machine; a second one, joined by a cable, plays the world outside.
@ExtendWith(SharedEngine.class)
class NetworkIT {
    private static final String BRIDGE = Engine.PEER ? "docker0" : "balena0";
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private String sh(String network, String script) {
        return docker.run("run", "--rm", "--network", network, BusyboxImage.NAME, "sh", "-c", script).succeeded();
    }

    @Test void noneHasOnlyTheLoopback() {
        assertEquals("lo", sh("none", "ls /sys/class/net"));
        assertEquals("1", sh("none", "ping -c 1 -w 2 127.0.0.1 | grep -c '1 packets received'"));
    }

    @Test void hostIsTheMachinesOwn() {
        assertEquals(engine.inside("readlink", "/proc/self/ns/net").run().succeeded(), sh("host", "readlink /proc/self/ns/net"));
        assertEquals(Command.of("hostname").run().succeeded(), sh("host", "hostname"));
    }

    @Test void bridgeIsTheDefaultAndGivesAnAddressOfTheBridgesNetwork() {
        try (var container = docker.background(BusyboxImage.NAME, "sleep", "1000")) {
            var address = container.inspect("{{.NetworkSettings.IPAddress}}");
            var gateway = container.inspect("{{.NetworkSettings.Gateway}}");
            assertTrue(address.matches("\\d+\\.\\d+\\.\\d+\\.\\d+"), address);
            assertTrue(container.exec("ip", "addr", "show", "eth0").succeeded().contains(address + "/"));
            assertTrue(container.exec("ip", "route").succeeded().contains("default via " + gateway + " dev eth0"));
            assertTrue(engine.inside("ip", "addr", "show", BRIDGE).run().succeeded().contains(gateway + "/"));
            assertEquals(address, container.inspect("{{.NetworkSettings.Networks.bridge.IPAddress}}"));
            engine.inside("ping", "-c", "1", "-W", "2", address).run();
            assertTrue(container.exec("ping", "-c", "1", "-w", "3", gateway).succeeded().contains("1 packets received"));
        }
    }

    @Test void containersReachEachOther() {
        try (var one = docker.background(BusyboxImage.NAME, "sh", "-c", "while :; do echo from one | nc -l -p 8000; done");
             var two = docker.background(BusyboxImage.NAME, "sleep", "1000")) {
            var address = one.inspect("{{.NetworkSettings.IPAddress}}");
            assertTrue(Engine.become(java.time.Duration.ofSeconds(10), () -> two.exec("nc", "-w", "2", address, "8000").out().equals("from one\n")));
        }
    }

    @Test void aContainerReachesTheWorldUnderTheMachinesAddress() throws IOException {
        var world = engine.networkNamespace() + "w";
        Command.of("ip", "netns", "add", world).run().succeeded();
        Process server = null;
        try {
            engine.inside("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", world).run().succeeded();
            engine.inside("ip", "addr", "add", "198.51.100.1/24", "dev", "cable").run().succeeded();
            engine.inside("ip", "link", "set", "cable", "up").run().succeeded();
            var outside = Command.of("nsenter", "--net=/run/netns/" + world);
            outside.and("ip", "addr", "add", "198.51.100.2/24", "dev", "cable").run().succeeded();
            outside.and("ip", "link", "set", "cable", "up").run().succeeded();
            server = outside.and("socat", "TCP-LISTEN:8080,fork,reuseaddr", "SYSTEM:echo $SOCAT_PEERADDR").start();
            assertTrue(Engine.become(java.time.Duration.ofSeconds(20), () ->
                    docker.run("run", "--rm", BusyboxImage.NAME, "nc", "-w", "2", "198.51.100.2", "8080").out().equals("198.51.100.1\n")),
                    "the world sees the machine's address, not the container's");
        } finally {
            if (server != null) server.destroyForcibly();
            engine.inside("ip", "link", "del", "cable").run();
            Command.of("ip", "netns", "del", world).run();
        }
    }

    @Test void hostsHostnameAndResolvConfAreTheContainersOwn() {
        try (var container = docker.background("--hostname", "box", "--add-host", "extra:192.0.2.1", BusyboxImage.NAME, "sleep", "1000")) {
            var hosts = container.exec("cat", "/etc/hosts").succeeded();
            assertTrue(hosts.contains("127.0.0.1\tlocalhost"), hosts);
            assertTrue(hosts.contains("192.0.2.1\textra"), hosts);
            assertTrue(hosts.contains(container.inspect("{{.NetworkSettings.IPAddress}}") + "\tbox"), hosts);
            assertEquals("box", container.exec("cat", "/etc/hostname").succeeded());
            assertTrue(container.exec("cat", "/etc/resolv.conf").succeeded().contains("nameserver "));
            for (var file : new String[] {"hosts", "hostname", "resolv.conf"}) {
                assertTrue(container.exec("grep", " /etc/" + file + " ", "/proc/mounts").succeeded().length() > 0);
            }
        }
    }

    @Test void aHardwareAddressOfOnesOwnIsUsedAtEachStart() {
        docker.run("network", "create", "own-mac").succeeded();
        try (var container = docker.background("--network", "own-mac", "--mac-address", "02:11:22:33:44:55", BusyboxImage.NAME, "sleep", "1000")) {
            assertTrue(container.exec("ip", "link", "show", "eth0").succeeded().contains("02:11:22:33:44:55"));
            docker.run("restart", "-t", "0", container.id()).succeeded();
            assertTrue(container.exec("ip", "link", "show", "eth0").succeeded().contains("02:11:22:33:44:55"));
            assertEquals("02:11:22:33:44:55", container.inspect("{{(index .NetworkSettings.Networks \"own-mac\").MacAddress}}"));
        } finally {
            docker.run("network", "rm", "own-mac");
        }
    }

    @Test void addressesComeBackWhenContainersEnd() {
        for (int i = 0; i < 10; i++) docker.run("run", "--rm", BusyboxImage.NAME, "true").succeeded();
        assertTrue(Engine.become(java.time.Duration.ofSeconds(10), () ->
                engine.inside("ip", "-o", "link", "show", "type", "veth").run().out().isBlank()), "no veth is left behind");
    }

    @Test void aBindMountOverEtcHostsWins() throws IOException {
        var folder = Files.createDirectories(engine.scratch().resolve("etc"));
        Files.writeString(folder.resolve("hosts"), "127.0.0.1 mine\n");
        assertEquals("127.0.0.1 mine", docker.run("run", "--rm", "-v", folder.resolve("hosts") + ":/etc/hosts", BusyboxImage.NAME, "cat", "/etc/hosts").succeeded());
    }
}
