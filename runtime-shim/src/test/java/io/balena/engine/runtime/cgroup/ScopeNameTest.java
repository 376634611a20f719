package io.balena.engine.runtime.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.bus.SystemBus;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ScopeNameTest {
    @Test
    void aPathWithTwoColonsNamesAScope() throws Exception {
        assertTrue(ScopeName.isMeant("system.slice:docker:abc"));
        assertFalse(ScopeName.isMeant("/docker/abc"));
        assertFalse(ScopeName.isMeant("/a:b:c"));
        assertFalse(ScopeName.isMeant("a:b"));
        assertEquals(new ScopeName("system.slice", "docker-abc.scope"), ScopeName.parse("system.slice:docker:abc"));
        assertEquals(new ScopeName("system.slice", "abc.scope"), ScopeName.parse("::abc"));
    }

    @Test
    void aSliceLiesInThoseItsNameBeginsWith() throws Exception {
        assertEquals("system.slice/docker-x.scope", ScopeName.parse("system.slice:docker:x").folder());
        assertEquals("a.slice/a-b.slice/a-b-c.slice/docker-x.scope", ScopeName.parse("a-b-c.slice:docker:x").folder());
        assertEquals("docker-x.scope", ScopeName.parse("-.slice:docker:x").folder());
    }

    @Test
    void whatIsNoSliceIsRefused() {
        for (String slice : new String[] {"x", "/x.slice", ".slice", "a--b.slice", "-a.slice", "a-.slice", "a/b.slice"}) {
            var failure = assertThrows(ContainerFailure.class, () -> ScopeName.parse(slice + ":docker:x"));
            assertEquals("invalid slice name: " + slice, failure.getMessage());
        }
        assertThrows(ContainerFailure.class, () -> ScopeName.parse("system.slice:docker:"));
        assertThrows(ContainerFailure.class, () -> ScopeName.parse("system.slice:docker:../x"));
    }

    @Test
    void whereSystemdMakesAllGroupsAContainerHasAScope() throws Exception {
        assertEquals(new ScopeName("system.slice", "runc-x.scope"), ScopeName.parse(ScopeName.require(null, "x")));
        assertEquals("system.slice:docker:y", ScopeName.require("system.slice:docker:y", "x"));
        var failure = assertThrows(ContainerFailure.class, () -> ScopeName.require("/docker/y", "x"));
        assertEquals("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/docker/y\" instead", failure.getMessage());
    }

    @Test
    void theAddressOfTheBusMayBeGiven() {
        assertEquals(Path.of("/run/dbus/system_bus_socket"), SystemBus.address(null));
        assertEquals(Path.of("/x/y"), SystemBus.address("unix:path=/x/y,guid=1;unix:path=/z"));
    }
}
