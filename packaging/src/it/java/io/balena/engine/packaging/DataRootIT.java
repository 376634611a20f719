package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;

/// A data root that Debian's dockerd wrote is opened by this engine: what dockerd said of it, we say, too. What differs is listed here,
/// with its reason. At the end it goes back to dockerd, with what we added.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DataRootIT {
    private static final List<String> IMAGE_DIFFERENCES = List.of();

    private static final List<String> CONTAINER_DIFFERENCES = List.of(
            // Where a network namespace was; there is none while a container does not run.
            "/NetworkSettings/Sandbox(ID|Key)",
            // Docker makes these files, and knows where it logs, at the first start; we say at once where they will be.
            "/(ResolvConfPath|HostnamePath|HostsPath|LogPath)",
            // Ours mounts in memory.
            "/GraphDriver/Data/MergedDir",
            // Checks of health are yet to come.
            "/State/Health.*",
            // Docker knows the folder of a volume without a name of its own only while it is mounted.
            "/Mounts/\\d+/Source");

    private Engine engine;
    private DockerCli docker;
    private Registry registry;
    private final Map<String, JsonNode> images = new LinkedHashMap<>();
    private final Map<String, JsonNode> histories = new LinkedHashMap<>();
    private final Map<String, JsonNode> containers = new LinkedHashMap<>();
    private final Map<String, String> logs = new LinkedHashMap<>();
    private JsonNode imageList;
    private JsonNode volumeList;
    private JsonNode network;
    private String changes;

    @BeforeAll void dockerWritesARoot() throws IOException {
        assumeFalse(Engine.PEER, "this is about two engines");
        BusyboxImage.assumePossible();
        engine = Engine.startDockerd();
        docker = engine.docker();
        registry = Registry.start(engine);
        makeImages();
        makeContainers();

        imageList = engine.get("/images/json?all=1");
        for (var image : imageList) {
            var id = image.get("Id").asText();
            images.put(id, engine.get("/images/" + id + "/json"));
            histories.put(id, engine.get("/images/" + id + "/history"));
        }
        volumeList = engine.get("/volumes");
        network = engine.get("/networks/own");
        changes = docker.run("diff", "writer").succeeded();
        for (var each : engine.get("/containers/json?all=1")) {
            var name = each.get("Names").get(0).asText().substring(1);
            containers.put(name, engine.get("/containers/" + name + "/json"));
            var log = docker.run("logs", "-t", name);
            logs.put(name, log.out() + log.err());
        }
        engine.switchTo(Engine.Program.OURS);
    }

    private void makeImages() throws IOException {
        BusyboxImage.importInto(engine);
        docker.run("pull", Registry.HOST + "/it/small:1").succeeded();
        docker.run("pull", Registry.HOST + "/it/small:2").succeeded();
        docker.run("tag", Registry.HOST + "/it/small:1", "again:1").succeeded();
        for (var text : List.of("one", "two")) {
            var context = engine.scratch();
            Files.writeString(context.resolve("file"), text);
            Files.writeString(context.resolve("Dockerfile"), """
                    FROM busybox:it
                    ENV BUILT=yes
                    LABEL made.by=build
                    COPY file /built/file
                    RUN echo %s > /built/run && chmod 4755 /built/run
                    RUN mkdir /vol && echo image > /vol/from-image && chown 1234 /vol
                    VOLUME /vol
                    EXPOSE 8080
                    HEALTHCHECK --interval=1h CMD true
                    CMD ["cat", "/built/run"]
                    """.formatted(text));
            docker.command("build", "-q", "-t", "built:1", context.toString()).with("DOCKER_BUILDKIT", "0").run().succeeded();
        }
        docker.run("run", "--name", "committed", "--network", "none", "busybox:it", "sh", "-c", "echo x > /committed").succeeded();
        docker.run("commit", "-m", "by hand", "-c", "ENV BY=hand", "committed", "committed:1").succeeded();
        docker.run("rm", "committed").succeeded();
    }

    private void makeContainers() {
        docker.run("volume", "create", "--label", "a=b", "--label", "empty=", "labelled").succeeded();
        docker.run("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m", "memory").succeeded();
        docker.run("volume", "create", "--label", "remembered=yes", "unused").succeeded();
        docker.run("run", "--name", "writer", "-v", "labelled:/data", "-v", "/etc:/host:ro", "--label", "of=writer", "-e", "SOME=thing",
                "-p", "12345:80", "built:1", "sh", "-c",
                "echo out; echo err >&2; echo changed > /etc/changed; rm /etc/group; echo kept > /data/file;"
                        + " cp -a /vol/from-image /vol/more; exit 3").endedWith(3);
        docker.run("run", "--name", "chatty", "--log-opt", "max-size=1k", "--log-opt", "max-file=3", "--network", "none", "busybox:it",
                "sh", "-c", "for i in $(seq 60); do echo line $i; done").succeeded();
        docker.run("create", "--name", "fresh", "-m", "64m", "--tmpfs", "/t:size=1m", "--mount",
                "type=tmpfs,dst=/u,tmpfs-size=1048576,tmpfs-mode=0700", "--cap-add", "NET_ADMIN", "--dns", "10.1.2.3", "built:1").succeeded();
        docker.run("create", "--name", "before", "--network", "none", "-v", "memory:/m", "busybox:it", "sh", "-c",
                "echo renamed; grep ' /m ' /proc/mounts").succeeded();
        docker.run("rename", "before", "after").succeeded();
        docker.run("run", "-d", "--name", "halted", "--restart", "unless-stopped", "--stop-timeout", "0", "--network", "none",
                "busybox:it", "sleep", "1000").succeeded();
        docker.run("stop", "-t", "0", "halted").succeeded();
        docker.run("network", "create", "--subnet", "10.99.0.0/24", "--label", "n=1", "-o", "com.docker.network.bridge.name=br-own",
                "own").succeeded();
        docker.run("run", "--name", "onnet", "--network", "own", "--ip", "10.99.0.7", "--network-alias", "me", "busybox:it",
                "true").succeeded();
        docker.run("run", "-d", "--name", "steady", "--restart", "always", "--network", "none", "busybox:it", "sh", "-c",
                "echo begun; exec sleep 1000").succeeded();
        assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", "steady").out().equals("begun\n")));
    }

    @AfterAll void stop() {
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test @Order(1) void allImagesAreThereWithTheirTagsAndDigests() {
        assertEquals(rows(imageList, "Id"), rows(engine.get("/images/json?all=1"), "Id"));
    }

    /// What a list says of each: the fields that are not counted from containers, which the engines count at different times.
    private static String rows(JsonNode list, String key) {
        var rows = new TreeMap<String, String>();
        for (var row : list) {
            var fields = new TreeMap<String, String>();
            for (var field : List.of("RepoTags", "RepoDigests", "ParentId", "Created", "Size", "Labels")) {
                // Later versions of Docker say [] where 20.10 says null.
                boolean names = field.startsWith("Repo");
                fields.put(field, names ? sorted(row.get(field)).toString() : row.get(field).toString());
            }
            rows.put(row.get(key).asText(), fields.toString());
        }
        return String.join("\n", rows.entrySet().stream().map(Map.Entry::toString).toList());
    }

    private static TreeSet<String> sorted(JsonNode texts) {
        var all = new TreeSet<String>();
        texts.forEach(text -> all.add(text.asText()));
        return all;
    }

    @Test @Order(2) void imagesAreAsDockerSaidTheyAre() {
        var differences = new StringBuilder();
        images.forEach((id, docker) -> {
            differences.append(JsonDifference.of(docker, engine.get("/images/" + id + "/json"), IMAGE_DIFFERENCES));
            differences.append(JsonDifference.of(histories.get(id), engine.get("/images/" + id + "/history"), List.of()));
        });
        assertEquals("", differences.toString());
    }

    @Test @Order(3) void containersAreAsDockerSaidTheyAre() {
        var differences = new StringBuilder();
        containers.forEach((name, docker) -> {
            if (name.equals("steady")) return; // runs again
            var ours = JsonDifference.of(byDestination(docker), byDestination(engine.get("/containers/" + name + "/json")),
                    CONTAINER_DIFFERENCES);
            ours.lines().forEach(line -> differences.append(name).append(line).append('\n'));
        });
        assertEquals("", differences.toString());
    }

    /// Docker gives mounts in any order.
    private static JsonNode byDestination(JsonNode container) {
        var mounts = new ArrayList<JsonNode>();
        container.get("Mounts").forEach(mounts::add);
        mounts.sort(java.util.Comparator.comparing(mount -> mount.get("Destination").asText()));
        var copy = (com.fasterxml.jackson.databind.node.ObjectNode) container.deepCopy();
        copy.putArray("Mounts").addAll(mounts);
        return copy;
    }

    @Test @Order(4) void oldLogsCanBeRead() {
        logs.forEach((name, docker) -> {
            var ours = this.docker.run("logs", "-t", name);
            if (name.equals("steady")) assertTrue((ours.out() + ours.err()).startsWith(docker), ours::toString);
            else assertEquals(docker, ours.out() + ours.err(), name);
        });
    }

    @Test @Order(5) void volumesAreThereWithLabelsOptionsAndData() throws IOException {
        assertEquals(volumes(volumeList), volumes(engine.get("/volumes")));
        assertEquals("kept\n", Files.readString(engine.data().resolve("volumes/labelled/_data/file")));
        assertEquals("get nope: no such volume", engine.get("/volumes/nope").get("message").asText());
        var dangling = engine.get("/volumes?filters=%7B%22dangling%22:%5B%22true%22%5D%7D").get("Volumes");
        assertEquals(List.of("unused"), StreamSupport.stream(dangling.spliterator(), false).map(v -> v.get("Name").asText()).toList());
    }

    private static String volumes(JsonNode answer) {
        var volumes = new TreeMap<String, String>();
        for (var volume : answer.get("Volumes")) {
            var fields = (com.fasterxml.jackson.databind.node.ObjectNode) volume.deepCopy();
            // Docker takes the time of the last change of `_data`, we that of the volume's making.
            fields.remove("CreatedAt");
            volumes.put(volume.get("Name").asText(), fields.toString());
        }
        return String.join("\n", volumes.values());
    }

    @Test @Order(6) void whatRanRunsAgainIfItIsToBe() {
        assertTrue(Engine.become(Duration.ofSeconds(60), () -> runs("steady")), engine::logTail);
        assertFalse(runs("halted"), "somebody stopped it");
    }

    private boolean runs(String name) {
        // Not `Running`, which is so between two attempts of a restart policy as well.
        return engine.get("/containers/" + name + "/json").at("/State/Status").asText().equals("running");
    }

    @Test @Order(7) void containersStartWithTheFilesTheyChanged() {
        assertEquals(changes.lines().sorted().toList(), docker.run("diff", "writer").succeeded().lines().sorted().toList());
        assertEquals("out\nout\n", startAgain("writer"));
        var copy = docker.run("run", "--rm", "--network", "none", "--volumes-from", "writer:ro", "busybox:it", "sh", "-c",
                "cat /data/file /vol/more; touch /data/x || echo read-only");
        assertEquals("kept\nimage\nread-only\n", copy.out());
        var renamed = docker.run("start", "-a", "after").succeeded();
        assertTrue(renamed.startsWith("renamed\n") && renamed.contains("size=1024k"), renamed);
        assertEquals("two\n", docker.run("start", "-a", "fresh").succeeded() + "\n");
        assertEquals("two\n", docker.run("logs", "fresh").out(), "Docker had not said where it would log");
    }

    private String startAgain(String name) {
        docker.run("start", "-a", name).endedWith(3);
        return docker.run("logs", name).out();
    }

    @Test @Order(8) void aNetworkThatDockerMadeIsTakenOverWithItsContainers() {
        var ours = engine.get("/networks/own");
        assertEquals("", JsonDifference.of(network, ours, List.of()));
        docker.run("start", "onnet").succeeded();
        var place = engine.get("/containers/onnet/json").at("/NetworkSettings/Networks/own");
        assertEquals(network.get("Id"), place.get("NetworkID"), "by which Docker finds it");
        var gateway = network.at("/IPAM/Config/0/Gateway").asText();
        assertTrue(gateway.isEmpty() || place.get("Gateway").asText().equals(gateway), place::toString);
        assertTrue(place.get("IPAddress").asText().matches("[0-9.]+"), place::toString);
        docker.run("stop", "-t", "0", "onnet").succeeded();
        docker.run("network", "create", "ours").succeeded();
        docker.run("network", "rm", "ours").succeeded();
    }

    @Test @Order(9) void whatWeRemoveAndMakeIsSoForDockerToo() throws IOException {
        docker.run("volume", "rm", "unused").succeeded();
        docker.run("volume", "create", "unused").succeeded();
        engine.stopDaemon();
        engine.startDaemon();
        assertEquals("null", engine.get("/volumes/unused").get("Labels").toString(), "Docker's file still has the labels of the first of that name");
        docker.run("volume", "rm", "unused").succeeded();
        docker.run("volume", "rm", "labelled").endedWith(1);
        docker.run("volume", "create", "--label", "ours=1", "made-here").succeeded();
        docker.run("run", "--name", "made-here", "--network", "none", "--health-cmd", "true", "-v", "made-here:/data", "-v", "/anonymous",
                "--restart", "on-failure:2", "built:1", "sh", "-c",
                "echo ours > /data/file; echo changed > /ours; echo logged").succeeded();
        docker.run("tag", "committed:1", "tagged-here:1").succeeded();
        docker.run("rmi", "again:1").succeeded();
        docker.run("stop", "-t", "0", "steady").succeeded();
        var before = rows(engine.get("/images/json?all=1"), "Id");

        engine.switchTo(Engine.Program.DOCKERD);
        assertEquals(before, rows(engine.get("/images/json?all=1"), "Id"));
        assertEquals("logged\n", docker.run("logs", "made-here").out());
        docker.run("start", "-a", "made-here").succeeded();
        assertEquals("logged\nlogged\n", docker.run("logs", "made-here").out());
        assertTrue(docker.run("diff", "made-here").succeeded().contains("A /ours"));
        assertEquals("ours\n", Files.readString(engine.data().resolve("volumes/made-here/_data/file")));
        docker.run("volume", "inspect", "unused").endedWith(1);
        assertEquals("{\"a\":\"b\",\"empty\":\"\"}", engine.get("/volumes/labelled").get("Labels").toString());
        docker.run("start", "onnet").succeeded();
        assertEquals("10.99.0.0/24", engine.get("/networks/own").at("/IPAM/Config/0/Subnet").asText());
        startAgain("writer");
        // Those without a name of their own go with it.
        docker.run("rm", "-v", "made-here").succeeded();
        docker.run("volume", "rm", "made-here").succeeded();
        docker.run("volume", "create", "--label", "theirs=1", "made-here").succeeded();

        engine.switchTo(Engine.Program.OURS);
        assertEquals("{\"theirs\":\"1\"}", engine.get("/volumes/made-here").get("Labels").toString());
        assertEquals(before, rows(engine.get("/images/json?all=1"), "Id"));
        assertFalse(Files.exists(engine.data().resolve("quarantine")));
    }

    @Test @Order(10) void afterAPowerCutDockersRootOpens() {
        engine.switchTo(Engine.Program.DOCKERD);
        docker.run("start", "steady").succeeded();
        engine.cutPower();
        engine.startDaemon(Engine.Program.OURS);
        assertTrue(Engine.become(Duration.ofSeconds(60), () -> runs("steady")), engine::logTail);
        assertTrue(docker.run("exec", "steady", "cat", "/etc/passwd").succeeded().contains("root"));
    }
}
