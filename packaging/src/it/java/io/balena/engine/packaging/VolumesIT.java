package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// `docker volume`, and volumes in containers.
@ExtendWith(SharedEngine.class)
class VolumesIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void engine(Engine engine) {
        this.engine = engine;
        docker = engine.docker();
    }

    @AfterEach void forget() {
        docker.run("volume", "prune", "-af").succeeded();
        for (var name : docker.run("volume", "ls", "-q").succeeded().lines().toList()) docker.run("volume", "rm", name);
    }

    private Outcome run(String... words) {
        return docker.command("run", "--rm", "--network", "none").and(words).run();
    }

    @Test void aVolumeHoldsDataWhenItsContainersAreGone() throws IOException {
        docker.run("volume", "create", "--label", "app=1", "app_data").succeeded();
        run("-v", "app_data:/data", BusyboxImage.NAME, "sh", "-c", "echo kept > /data/file").succeeded();
        assertEquals("kept\n", run("-v", "app_data:/data:ro", BusyboxImage.NAME, "cat", "/data/file").out());
        assertEquals(engine.data() + "/volumes/app_data/_data", docker.run("volume", "inspect", "-f", "{{.Mountpoint}}", "app_data").succeeded());
        assertEquals("app_data", docker.run("volume", "ls", "-q", "--filter", "label=app=1").succeeded());
        docker.run("volume", "rm", "app_data").succeeded();
        assertFalse(Files.exists(engine.data().resolve("volumes/app_data")));
    }

    @Test void aVolumeInUseStays() {
        try (var holder = docker.background("--network", "none", "-v", "used:/data", BusyboxImage.NAME, "sleep", "1000")) {
            var refused = docker.run("volume", "rm", "used").endedWith(1);
            assertTrue(refused.err().contains("remove used: volume is in use - [" + holder.id() + "]"), refused.err());
            assertEquals("409", Command.of("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", "--unix-socket",
                    engine.socket().toString(), "http://docker/v1.41/volumes/used?force=1").run().out());
            assertEquals("", docker.run("volume", "prune", "-af").succeeded().lines().filter("used"::equals).findAny().orElse(""));
        }
        docker.run("volume", "rm", "used").succeeded();
    }

    @Test void whatNobodyNamedGoesWithItsContainer() {
        docker.run("create", "--name", "nameless", "--network", "none", "-v", "/data", "-v", "kept:/kept", BusyboxImage.NAME, "true").succeeded();
        assertEquals(2, docker.run("volume", "ls", "-q").succeeded().lines().count());
        docker.run("rm", "-v", "nameless").succeeded();
        assertEquals("kept", docker.run("volume", "ls", "-q").succeeded());
        run("-v", "/data", BusyboxImage.NAME, "true").succeeded();
        assertEquals("kept", docker.run("volume", "ls", "-q").succeeded(), "--rm as well");
    }

    @Test void containersShareWhatAnotherHas() {
        docker.run("create", "--name", "first", "--network", "none", "-v", "/data", "-v", "/etc:/host:ro", BusyboxImage.NAME, "true").succeeded();
        run("--volumes-from", "first", BusyboxImage.NAME, "sh", "-c", "echo shared > /data/file").succeeded();
        assertEquals("shared\nread-only\n", run("--volumes-from", "first:ro", BusyboxImage.NAME, "sh", "-c",
                "cat /data/file; touch /data/x 2>/dev/null || echo read-only; test -e /host/passwd").out());
        assertTrue(run("--volumes-from", "nobody", BusyboxImage.NAME, "true").err().contains("No such container: nobody"));
        docker.run("rm", "-v", "first").succeeded();
        assertEquals("", docker.run("volume", "ls", "-q").succeeded());
    }

    @Test void optionsAreMountedAtTheFirstUseAndUnmountedAtTheLast() {
        docker.run("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1234", "memory").succeeded();
        var data = engine.data().resolve("volumes/memory/_data");
        assertFalse(isMounted(data));
        try (var one = docker.background("--network", "none", "-v", "memory:/m", BusyboxImage.NAME, "sleep", "1000");
                var two = docker.background("--network", "none", "-v", "memory:/m", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("1234", one.exec("stat", "-c", "%u", "/m").succeeded());
            one.exec("touch", "/m/file").succeeded();
            two.exec("ls", "/m/file").succeeded();
            engine.killDaemon();
            engine.startDaemon();
            docker.run("stop", "-t", "0", one.id()).succeeded();
            two.exec("ls", "/m/file").succeeded();
            assertTrue(isMounted(data), "one container still uses it");
            docker.run("start", one.id()).succeeded();
            one.exec("ls", "/m/file").succeeded();
            docker.run("stop", "-t", "0", one.id(), two.id()).succeeded();
            assertTrue(Engine.become(java.time.Duration.ofSeconds(10), () -> !isMounted(data)));
        }
    }

    @Test void whatCannotBeMountedIsSaidAndLeavesNothing() {
        docker.run("volume", "create", "-o", "type=none", "-o", "device=/nonexistent/folder", "-o", "o=bind", "nowhere").succeeded();
        var refused = docker.run("run", "--network", "none", "--name", "stranded", "-v", "nowhere:/n", BusyboxImage.NAME, "true");
        assertTrue(refused.err().contains("error while mounting volume '" + engine.data() + "/volumes/nowhere/_data': "
                + "failed to mount local volume: "), refused.err());
        docker.run("rm", "stranded");
    }

    @Test void bindOptionsTakeTheirRestrictions() throws IOException {
        var folder = engine.scratch();
        Files.writeString(folder.resolve("file"), "there\n");
        docker.run("volume", "create", "-o", "type=none", "-o", "device=" + folder, "-o", "o=bind,ro", "bound").succeeded();
        assertEquals("there\nread-only\n", run("-v", "bound:/b", BusyboxImage.NAME, "sh", "-c",
                "cat /b/file; touch /b/x 2>/dev/null || echo read-only").out());
    }

    @Test void whatTheImageHasIsCopiedAsItIs() throws IOException {
        var context = engine.scratch();
        Command.of("sh", "-ec", "cd " + context + "; cp -a " + BusyboxImage.tree(engine) + " t; mkdir -p t/vol/sub; echo x > t/vol/a;"
                + " ln t/vol/a t/vol/b;"
                + " chown 1234:1235 t/vol t/vol/a; chmod 2770 t/vol; chmod 4755 t/vol/a; ln -s /nowhere t/vol/link; mknod t/vol/null c 1 3;"
                + " mkfifo t/vol/fifo; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 t/vol/a;"
                + " touch -d @1000 t/vol/sub; tar --xattrs --xattrs-include='*' -C t -cf t.tar .").run().succeeded();
        docker.run("import", context.resolve("t.tar").toString(), "with-volume:1").succeeded();
        run("-v", "copied:/vol", "with-volume:1", "true").succeeded();
        var data = engine.data().resolve("volumes/copied/_data");
        var script = "cd %s; find . -printf '%%P %%y %%m %%U:%%G %%n %%l\\n' | sort;"
                + " find . -type f -printf '%%P %%T@\\n' | sort; stat -c %%Y sub; stat -c '%%t:%%T' null; getfattr -h -d -m - a";
        assertEquals(sh(script.formatted(context.resolve("t/vol"))), sh(script.formatted(data)));
        docker.run("rmi", "with-volume:1").succeeded();
    }

    private static String sh(String script) {
        return Command.of("sh", "-ec", script).run().succeeded();
    }

    @Test void eventsTellOfVolumes() {
        var since = Instant.now().toString();
        run("-v", "told:/data", BusyboxImage.NAME, "true").succeeded();
        docker.run("volume", "rm", "told").succeeded();
        var events = docker.run("events", "--since", since, "--until", Instant.now().plusMillis(1).toString(), "--filter", "type=volume",
                "--format", "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.driver}} {{.Actor.Attributes.destination}}").succeeded();
        assertEquals(List.of("create told local <no value>", "mount told local /data", "unmount told local <no value>",
                "destroy told local <no value>"),
                events.lines().filter(line -> line.contains(" told ")).toList());
    }

    @Test void diskUsageCountsVolumes() {
        docker.run("create", "--name", "weighty", "--network", "none", "-v", "weighed:/data", BusyboxImage.NAME, "true").succeeded();
        run("-v", "weighed:/data", BusyboxImage.NAME, "sh", "-c", "head -c 5000 /dev/zero > /data/a; ln /data/a /data/b").succeeded();
        var usage = engine.get("/system/df").get("Volumes").get(0);
        assertEquals("{\"RefCount\":1,\"Size\":5000}", usage.get("UsageData").toString());
        docker.run("rm", "weighty").succeeded();
        assertTrue(docker.run("volume", "prune", "-af").succeeded().contains("Total reclaimed space: 5kB"));
    }

    private static boolean isMounted(Path path) {
        return Command.of("mountpoint", "-q", path.toString()).run().status() == 0;
    }
}
