package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// `--init`: tini as the first process of a container.
@ExtendWith(SharedSideBySide.class)
class InitIT {
    private static final Path TINI = Path.of("/usr/bin/tini-static");

    @BeforeAll static void installed() {
        assumeTrue(Files.isExecutable(TINI), "needs tini");
    }

    @Test void clientsSeeItAsDockerShowsIt(SideBySide both) {
        for (String init : new String[] {"true", "false", "null"}) {
            both.agreeOn("id=$(api /containers/create -H 'Content-Type: application/json' -d '{\"Image\":\"busybox:it\",\"Cmd\":[\"sleep\",\"1000\"],"
                            + "\"HostConfig\":{\"Init\":" + init + "}}' | jq -r .Id); docker rename $id " + init + "; docker start " + init,
                    "docker inspect -f '{{.Path}} {{.Args}} {{json .HostConfig.Init}}' " + init,
                    "api /containers/" + init + "/json | jq -c '.HostConfig | has(\"Init\"), .Init'",
                    "docker exec " + init + " cat /proc/1/cmdline | tr '\\0' ' '",
                    "docker exec " + init + " sh -c 'grep docker-init /proc/self/mountinfo | cut -d\" \" -f5,6'",
                    "docker diff " + init,
                    "docker rm -f " + init);
        }
        both.agreeOn("docker run --rm --init --pid host busybox:it sh -c 'tr \"\\0\" \" \" </proc/self/cmdline | cut -c1-3'",
                "docker run --rm --init --read-only busybox:it sh -c 'exit 4'",
                "docker run --rm --init busybox:it nosuchprogram 2>&1 | grep -c nosuchprogram");
    }

    @Test void itReapsOrphansAndPassesSignalsOn(@org.junit.jupiter.api.io.TempDir Path folder) throws IOException {
        try (var engine = Engine.start("--bridge=none", "--init")) {
            BusyboxImage.importInto(engine);
            try (var container = engine.docker().background(BusyboxImage.NAME, "sh", "-c", "trap 'exit 9' TERM; (true & exec true); echo ready; while :; do sleep 0.05; done")) {
                assertTrue(Engine.become(Duration.ofSeconds(30), () -> engine.docker().run("logs", container.id()).out().contains("ready")));
                container.exec("sh", "-c", "(sleep 0 &) ; exit 0").succeeded();
                assertTrue(Engine.become(Duration.ofSeconds(30), () -> !container.exec("ps").succeeded().contains("Z")));
                engine.docker().run("stop", container.id()).succeeded();
                assertEquals("9", container.inspect("{{.State.ExitCode}}"));
            }
        }
    }

    @Test void itIsTheOneThatWasConfiguredAndItsLackIsSaid(@org.junit.jupiter.api.io.TempDir Path folder) throws IOException {
        Path other = Files.copy(TINI, folder.resolve("other-init"));
        try (var engine = Engine.start("--bridge=none", "--init-path=" + other)) {
            BusyboxImage.importInto(engine);
            assertEquals(other.toString(), engine.docker().run("info", "--format", "{{.InitBinary}}").succeeded());
            assertEquals("same", engine.docker().run("run", "--rm", "--init", "-v", other + ":/other", BusyboxImage.NAME, "sh", "-c",
                    "cmp /other /sbin/docker-init && echo same").succeeded());
            Files.delete(other);
            var refused = engine.docker().run("run", "--rm", "--init", BusyboxImage.NAME, "true").endedWith(125);
            assertTrue(refused.err().contains(other.toString()), refused::err);
            engine.docker().run("run", "--rm", BusyboxImage.NAME, "true").succeeded();
        }
    }
}
