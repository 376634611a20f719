package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Against the real kernel, each test in a network namespace of its own.
class RtnetlinkIT {
    private static final MacAddress MAC = MacAddress.parse("02:42:00:00:00:01");

    @BeforeAll
    static void needsRoot() throws IOException {
        assumeTrue((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0, "needs root");
    }

    private static void inNewNamespace(Callable<Void> test) throws IOException {
        NetworkNamespace.callInNew(test);
    }

    @Test
    void aBridgeIsMadeAndFoundAgain() throws IOException {
        inNewNamespace(() -> {
            try (var netlink = Rtnetlink.open()) {
                assertEquals(Optional.empty(), netlink.link("b0"));
                netlink.addBridge("b0", MAC, 1400);
                var made = netlink.link("b0").orElseThrow();
                assertEquals(new Link(made.index(), "b0", "bridge", 0, false, false, MAC, 1400, ""), made);
                netlink.setUp(made.index());
                netlink.setMtu(made.index(), 1300);
                assertEquals(new Link(made.index(), "b0", "bridge", 0, true, false, MAC, 1300, ""), netlink.link("b0").orElseThrow());
                assertFalse(netlink.awaitRunning("b0", Duration.ofMillis(5)), "a bridge without ports");
                netlink.delete(made.index());
                assertEquals(List.of("lo"), netlink.links().stream().map(Link::name).filter("lo"::equals).toList());
                assertEquals(Errno.ENODEV, assertThrows(ErrnoException.class, () -> netlink.delete(made.index())).errno());
            }
            return null;
        });
    }

    @Test
    void aFailureSaysWhatWasAttemptedAndWhatTheKernelThinks() throws IOException {
        inNewNamespace(() -> {
            try (var netlink = Rtnetlink.open()) {
                netlink.addBridge("b0", MAC, 1500);
                var exists = assertThrows(ErrnoException.class, () -> netlink.addBridge("b0", MAC, 1500));
                assertEquals("netlink add bridge b0: File exists (EEXIST)", exists.getMessage());
                var mtu = assertThrows(ErrnoException.class, () -> netlink.setMtu(netlink.link("b0").orElseThrow().index(), 1));
                assertTrue(mtu.getMessage().contains("(mtu less than device minimum)"), mtu.getMessage());
                var far = new Route(InetAddress.getByName("0.0.0.0"), 0, Optional.of(InetAddress.getByName("203.0.113.1")), 0);
                assertEquals(Errno.ENETUNREACH, assertThrows(ErrnoException.class, () -> netlink.addRoute(far)).errno());
            }
            return null;
        });
    }

    @Test
    void addressesAndRoutesOfBothFamiliesAreListed() throws IOException {
        inNewNamespace(() -> {
            try (var netlink = Rtnetlink.open()) {
                netlink.addBridge("b0", MAC, 1500);
                Link link = netlink.link("b0").orElseThrow();
                netlink.setUp(link.index());
                var four = InetAddress.getByName("10.1.2.3");
                var six = InetAddress.getByName("fd00::5");
                netlink.addAddress(link, four, 24);
                if (Sysctl.exists("net.ipv6.conf.all.disable_ipv6")) {
                    netlink.addAddress(link, six, 64);
                    assertTrue(netlink.addresses().contains(new LinkAddress(link.index(), six, 64)));
                }
                assertTrue(netlink.addresses().contains(new LinkAddress(link.index(), four, 24)));
                assertTrue(netlink.routes().contains(new Route(InetAddress.getByName("10.1.2.0"), 24, Optional.empty(), link.index())));
                var gateway = new Route(InetAddress.getByName("0.0.0.0"), 0, Optional.of(InetAddress.getByName("10.1.2.1")), link.index());
                netlink.addRoute(gateway);
                assertTrue(netlink.routes().contains(gateway));
                netlink.deleteAddress(new LinkAddress(link.index(), four, 24));
                assertFalse(netlink.addresses().contains(new LinkAddress(link.index(), four, 24)));
            }
            return null;
        });
    }

    @Test
    void aVethPairSpansTwoNamespaces() throws IOException {
        inNewNamespace(() -> {
            try (var netlink = Rtnetlink.open(); var other = NetworkNamespace.callInNew(NetworkNamespace::current)) {
                netlink.addBridge("b0", MAC, 1500);
                Link bridge = netlink.link("b0").orElseThrow();
                var peer = MacAddress.parse("02:42:0a:00:00:02");
                netlink.addVeth(new VethPair("v0", bridge.index(), "eth0", peer, 1450), other);
                netlink.enableBridgePort("v0", "of nobody");
                Link near = netlink.link("v0").orElseThrow();
                assertEquals(bridge.index(), near.master());
                assertEquals("of nobody", near.alias());
                assertTrue(near.up());
                Link far = other.call(() -> {
                    try (var inside = Rtnetlink.open()) {
                        return inside.link("eth0").orElseThrow();
                    }
                });
                assertEquals(new Link(far.index(), "eth0", "veth", 0, false, false, peer, 1450, ""), far);
                netlink.delete(near.index());
                assertEquals(Optional.empty(), other.call(() -> {
                    try (var inside = Rtnetlink.open()) {
                        return inside.link("eth0");
                    }
                }));
            }
            return null;
        });
    }

    @Test
    void aListLongerThanOneMessageIsWhole() throws IOException {
        inNewNamespace(() -> {
            try (var netlink = Rtnetlink.open()) {
                for (int i = 0; i < 100; i++) netlink.addBridge("b" + i, new MacAddress(0x0242_0000_0000L | i), 1500);
                assertEquals(100, netlink.links().stream().filter(link -> link.kind().equals("bridge")).count());
            }
            return null;
        });
    }

    @Test
    void aNameIsHeldOnceInANamespace() throws IOException {
        inNewNamespace(() -> {
            try (var held = HeldName.take("engine/a").orElseThrow(); var _ = HeldName.take("engine/b").orElseThrow()) {
                assertEquals(Optional.empty(), HeldName.take("engine/a"));
                assertEquals(List.of("engine/a", "engine/b"), HeldName.all("engine/").stream().sorted().toList());
                held.close();
                HeldName.take("engine/a").orElseThrow().close();
                inNewNamespace(() -> {
                    HeldName.take("engine/b").orElseThrow().close();
                    return null;
                });
            }
            return null;
        });
    }

    @Test
    void whatIsChangedInANamespaceStaysThere() throws IOException {
        try (var own = NetworkNamespace.current(); var other = NetworkNamespace.callInNew(NetworkNamespace::current)) {
            assertFalse(own.isSameAs(other));
            String before = Sysctl.read("net.ipv4.ip_default_ttl");
            other.call(() -> Sysctl.ensure("net.ipv4.ip_default_ttl", "77"));
            assertEquals("77", other.call(() -> Sysctl.read("net.ipv4.ip_default_ttl")));
            assertEquals(before, Sysctl.read("net.ipv4.ip_default_ttl"));
            assertTrue(own.isSameAs(NetworkNamespace.current()));
        }
    }
}
