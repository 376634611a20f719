package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.Hook;
import io.balena.engine.runtime.spec.RuntimeSpec.Hooks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class HooksIT extends RuntimeTests {
    private Path log;

    @BeforeEach
    void open() throws Exception {
        log = folder.resolve("log");
    }

    private List<Hook> hook(String script) {
        return List.of(new Hook("/bin/sh", List.of("sh", "-c", script), List.of("WHO=me", "PATH=/bin:/usr/bin"), 10));
    }

    private List<Hook> logging(String point) {
        return hook("echo " + point + " $WHO $(grep -o '\"status\":\"[a-z]*\"' ) >> " + log);
    }

    @Test
    void theyRunInOrderWithTheStateOnStdin() throws Exception {
        // Inside the container the log is another file.
        bundle.hooks = new Hooks(
                logging("prestart"),
                logging("createRuntime"),
                logging("createContainer"),
                hook("echo startContainer $WHO > /tmp/inside; readlink /proc/self/ns/net > /tmp/net"),
                logging("poststart"),
                logging("poststop"));
        var ended = fixture.run(bundle.script("cat /tmp/inside; readlink /proc/self/ns/net; cat /tmp/net"));
        String[] lines = ended.out().split("\n");
        assertEquals("startContainer me", lines[0]);
        assertEquals(lines[1], lines[2]);
        assertEquals(
                List.of(
                        "prestart me \"status\":\"creating\"",
                        "createRuntime me \"status\":\"creating\"",
                        "createContainer me \"status\":\"creating\"",
                        "poststart me \"status\":\"running\"",
                        "poststop me \"status\":\"stopped\""),
                Files.readAllLines(log));
    }

    @Test
    void oneThatFailsEndsTheCreation() throws Exception {
        bundle.hooks = new Hooks(null, hook("echo reason; exit 3"), null, null, null, null);
        var failure = assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertEquals("error running createRuntime hook #0: exit status 3, output: reason\n", failure.getMessage());
        bundle.hooks = new Hooks(null, List.of(new Hook("/no/hook", null, null, null)), null, null, null, null);
        failure = assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertTrue(failure.getMessage().contains("exec /no/hook: No such file or directory"), failure.getMessage());
        assertEquals(List.of(), StateFile.ids(fixture.stateRoot));
    }

    @Test
    void oneThatTakesTooLongIsEnded() throws Exception {
        bundle.hooks = new Hooks(null, List.of(new Hook("/bin/sleep", List.of("sleep", "100"), null, 1)), null, null, null, null);
        var failure = assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertEquals("error running createRuntime hook #0: timeout of 1s exceeded", failure.getMessage());
    }
}
