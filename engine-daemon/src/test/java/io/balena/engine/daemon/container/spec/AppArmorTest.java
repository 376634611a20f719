package io.balena.engine.daemon.container.spec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AppArmorTest {
    @TempDir
    Path root;

    private AppArmor host(String enabled, String... loaded) throws IOException {
        write("sys/module/apparmor/parameters/enabled", enabled + "\n");
        write("sys/kernel/security/apparmor/profiles", String.join(" (enforce)\n", loaded) + " (enforce)\n");
        write("sbin/apparmor_parser", "");
        root.resolve("sbin/apparmor_parser").toFile().setExecutable(true);
        return new AppArmor(root);
    }

    private void write(String file, String text) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.writeString(root.resolve(file), text);
    }

    @Test
    void aHostWithoutItIgnoresProfilesAsDockerDoes() throws Exception {
        assertNull(new AppArmor(root).profile(Optional.of("mine"), false));
        assertNull(host("N").profile(Optional.of("mine"), false));
        var disarmed = host("Y");
        Files.delete(root.resolve("sbin/apparmor_parser"));
        assertFalse(disarmed.isEnabled());
    }

    @Test
    void aContainerIsConfinedByTheProfileItNames() throws Exception {
        var host = host("Y", "docker-default");
        assertTrue(host.isEnabled());
        assertEquals("mine", host.profile(Optional.of("mine"), false));
        assertEquals("mine", host.profile(Optional.of("mine"), true));
        assertEquals("unconfined", host.profile(Optional.of("unconfined"), false));
    }

    @Test
    void withoutANameItIsConfinedByDockersProfileIfThatIsLoaded() throws Exception {
        assertEquals("docker-default", host("Y", "other", "docker-default").profile(Optional.empty(), false));
        assertEquals("unconfined", host("Y", "docker-default").profile(Optional.empty(), true));
        assertNull(host("Y", "docker-default-not").profile(Optional.empty(), false));
    }
}
