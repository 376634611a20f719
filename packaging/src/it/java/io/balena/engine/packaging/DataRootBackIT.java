package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/// A data root that this engine wrote is opened by Debian's dockerd, and beside it one that dockerd wrote from the same commands: they
/// have the same files with the same modes, and what dockerd saves and pushes from either is the same.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DataRootBackIT {
    private static final String SMALL = Registry.HOST + "/it/small";

    /// Files that only one of the engines has.
    private static final List<String> OURS_ALONE = List.of(
            // Ours, of which Docker does not know.
            "volumes/[^/]+/volume.json", "\\.engine-lock", "container-states", "network/networks(/.*)?");
    private static final List<String> DOCKERS_ALONE = List.of(
            "(builder|buildkit|plugins|runtimes|swarm|trust|containerd|network)(/.*)?",
            // Its own records of volumes, and the device for quotas, which we do not have.
            "volumes/(metadata.db|backingFsBlockDev)",
            // For snapshots of processes, and where /dev/shm is mounted: the runtime's own business here.
            "containers/<id>/(checkpoints|mounts|resolv.conf.hash)(/.*)?",
            "image/overlay2/layerdb/tmp", "overlay2/<id>/merged");

    private Engine ours;
    private Engine dockers;
    private final List<Registry> registries = new ArrayList<>();
    private final Map<String, JsonNode> images = new LinkedHashMap<>();
    private final Map<String, JsonNode> containers = new LinkedHashMap<>();

    @BeforeAll void bothWriteARoot() {
        assumeFalse(Engine.PEER, "this is about two engines");
        BusyboxImage.assumePossible();
        ours = Engine.start();
        write(ours);
        for (var image : ours.get("/images/json")) {
            var id = image.get("Id").asText();
            images.put(id, ours.get("/images/" + id + "/json"));
        }
        dockers = Engine.startDockerd();
        write(dockers);
    }

    private void write(Engine engine) {
        registries.add(Registry.start(engine));
        var docker = engine.docker();
        BusyboxImage.importInto(engine);
        docker.run("pull", SMALL + ":1").succeeded();
        docker.run("pull", SMALL + ":2").succeeded();
        docker.run("tag", SMALL + ":1", "again:1").succeeded();
        docker.run("volume", "create", "--label", "a=b", "named").succeeded();
        docker.run("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", "memory").succeeded();
        docker.run("run", "--name", "ran", "--restart", "on-failure:3", "-v", "named:/data", "-v", "/anonymous", "-v", "/etc:/host:ro",
                "-e", "A=b",
                "--label", "x=y", "--health-cmd", "true", "--health-interval", "1h", "--ulimit", "nofile=100:200", "-m", "64m",
                "-p", "8080:80", "--user", "1234", "-w", "/tmp", "--log-opt", "max-size=1m", "--stop-signal", "SIGINT",
                "busybox:it", "sh", "-c", "echo out; echo err >&2; echo changed > /tmp/changed").succeeded();
        docker.run("create", "--name", "fresh", "--mount", "type=tmpfs,dst=/u,tmpfs-size=1048576", "-v", "memory:/m", "--network", "none",
                "--init=false", "--cap-add", "NET_ADMIN", "--device", "/dev/null:/dev/mine", "--security-opt", "no-new-privileges",
                "--add-host", "a:10.0.0.1", "busybox:it", "sh", "-c", "grep -c ' /m tmpfs' /proc/mounts").succeeded();
        docker.run("run", "-d", "--name", "steady", "--restart", "always", "--network", "none", "busybox:it", "sleep", "1000").succeeded();
    }

    @AfterAll void stop() {
        registries.forEach(Registry::close);
        if (ours != null) ours.close();
        if (dockers != null) dockers.close();
    }

    @Test @Order(1) void filesAndFoldersHaveTheModesThatDockerGivesThem() {
        var here = modes(ours);
        var there = modes(dockers);
        var differences = new StringBuilder();
        var paths = new TreeSet<>(here.keySet());
        paths.addAll(there.keySet());
        for (var path : paths) {
            var one = here.get(path);
            var other = there.get(path);
            if (one == null && DOCKERS_ALONE.stream().anyMatch(path::matches)) continue;
            if (other == null && OURS_ALONE.stream().anyMatch(path::matches)) continue;
            if (one != null && one.equals(other)) continue;
            differences.append(path).append(": ").append(one).append(" | ").append(other).append('\n');
        }
        assertEquals("", differences.toString());
    }

    /// Type, mode and owners by path, the random parts of which are left out, and what images and containers put into it.
    private static TreeMap<String, TreeSet<String>> modes(Engine engine) {
        var modes = new TreeMap<String, TreeSet<String>>();
        var found = Command.of("find", engine.data().toString(), "-printf", "%y %m %U:%G %P\\n").run().succeeded();
        for (var line : found.split("\n")) {
            var words = line.split(" ", 4);
            var path = words.length < 4 ? "." : words[3].replaceAll("[0-9a-f]{64}", "<id>").replaceAll("/[A-Z2-7]{26}$", "/<link>");
            if (path.matches("overlay2/[^/]+/(diff|work|merged)/.*|volumes/[^/]+/_data/.*|(containerd|plugins|buildkit)/.*")) continue;
            modes.computeIfAbsent(path, _ -> new TreeSet<>()).add(String.join(" ", List.of(words).subList(0, 3)));
        }
        return modes;
    }

    @Test @Order(2) void dockerOpensOurRoot() throws IOException {
        var docker = ours.docker();
        var volumes = ours.get("/volumes");
        for (var name : List.of("ran", "fresh")) containers.put(name, ours.get("/containers/" + name + "/json"));
        ours.switchTo(Engine.Program.DOCKERD);

        var differences = new StringBuilder();
        images.forEach((id, image) -> differences.append(JsonDifference.of(image, ours.get("/images/" + id + "/json"), List.of())));
        containers.forEach((name, container) -> JsonDifference.of(container, ours.get("/containers/" + name + "/json"), List.of(
                // It does not look for volumes before a start, and mounts come in any order.
                "/Mounts/.*",
                // Ours mounts in memory.
                "/GraphDriver/Data/MergedDir",
                "/NetworkSettings/(Sandbox(ID|Key)|Ports.*)",
                // Checks of health are yet to come here.
                "/State/Health.*")).lines().forEach(line -> differences.append(name).append(line).append('\n')));
        assertEquals("", differences.toString());
        assertEquals(volumes.get("Volumes").size(), ours.get("/volumes").get("Volumes").size());
        assertTrue(Files.isRegularFile(ours.data().resolve("volumes/metadata.db")), "Docker keeps its own records again");
    }

    @Test @Order(3) void containersStartThereWithTheirFilesAndLogs() {
        var docker = ours.docker();
        assertEquals("out\n", docker.run("logs", "ran").out());
        assertTrue(docker.run("diff", "ran").out().contains("A /tmp/changed"));
        docker.run("start", "-a", "ran").succeeded();
        assertEquals("out\nout\n", docker.run("logs", "ran").out());
        assertEquals("1\n", docker.run("start", "-a", "fresh").out(), "the volume's options are known");
        // It is always to run.
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> ours.get("/containers/steady/json").at("/State/Running").asBoolean()));
        assertEquals("7\n", docker.run("run", "--rm", "--network", "none", SMALL + ":2", "cat", "/etc/last-layer").out());
    }

    @Test @Order(4) void dockerSavesAndPushesTheSameFromEitherRoot() throws IOException {
        for (var image : List.of(SMALL + ":1", SMALL + ":2")) {
            assertEquals(layersOfSaved(dockers, image), layersOfSaved(ours, image));
            assertEquals(pushed(dockers, image), pushed(ours, image));
        }
        assertEquals(ours.docker().run("inspect", "-f", "{{join .RootFS.Layers \"\\n\"}}", "busybox:it").succeeded(),
                "sha256:" + layersOfSaved(ours, "busybox:it"));
    }

    private static String layersOfSaved(Engine engine, String image) throws IOException {
        var folder = engine.scratch();
        engine.docker().run("save", "-o", folder.resolve("saved.tar").toString(), image).succeeded();
        return Command.of("sh", "-ec", "cd " + folder + "; tar -xf saved.tar; sha256sum */layer.tar | cut -d' ' -f1 | sort")
                .run().succeeded();
    }

    /// @return the digest of the manifest, which names configuration and blobs by theirs
    private static String pushed(Engine engine, String image) throws IOException {
        var folder = engine.scratch();
        Files.writeString(folder.resolve("registry.yml"), """
                version: 0.1
                log: { level: error }
                storage: { filesystem: { rootdirectory: %s } }
                http: { addr: "127.0.0.1:5001" }
                """.formatted(folder.resolve("registry")));
        var registry = engine.inside("docker-registry", "serve", folder.resolve("registry.yml").toString()).start();
        try {
            var asked = engine.inside("curl", "-fs", "http://127.0.0.1:5001/v2/");
            assertTrue(Engine.become(Duration.ofSeconds(60), () -> asked.run().status() == 0));
            engine.docker().run("tag", image, "127.0.0.1:5001/pushed:1").succeeded();
            var lines = engine.docker().run("push", "127.0.0.1:5001/pushed:1").succeeded().lines().toList();
            return lines.stream().filter(line -> line.startsWith("1: digest: ")).findFirst().orElseThrow();
        } finally {
            engine.docker().run("rmi", "127.0.0.1:5001/pushed:1");
            registry.destroy();
        }
    }

    @Test @Order(5) void andItComesBack() {
        ours.docker().run("rm", "-f", "steady").succeeded();
        ours.switchTo(Engine.Program.OURS);
        assertEquals("1\n", ours.docker().run("start", "-a", "fresh").out());
        ours.docker().run("start", "-a", "ran").succeeded();
        assertEquals("out\nout\nout\n", ours.docker().run("logs", "ran").out());
        assertEquals("{\"a\":\"b\"}", ours.get("/volumes/named").get("Labels").toString(), "which Docker did not know");
        assertTrue(Files.notExists(ours.data().resolve("quarantine")));
    }
}
