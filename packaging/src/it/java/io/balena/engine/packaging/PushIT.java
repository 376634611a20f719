package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// `docker push` to a real registry, and what Docker 20.10, skopeo and umoci find there.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PushIT {
    private static final String HOST = "127.0.0.1:5055";
    private static final String CLOSED = "127.0.0.1:5056";
    private static final String SMALL = Registry.HOST + "/it/small:1";
    private static final Pattern DIGEST = Pattern.compile("(?m)^\\S+: digest: (sha256:[0-9a-f]{64}) size: \\d+$");

    private Engine engine;
    private Registry images;
    private Process open;
    private Process closed;
    private DockerCli docker;

    @BeforeAll void start() throws IOException {
        assumeTrue(!Engine.PEER, "compares with dockerd itself");
        engine = Engine.start("--bridge=none");
        images = Registry.start(engine);
        open = registry(HOST, "");
        Path users = Files.writeString(engine.scratch().resolve("users"),
                "user:$2b$05$iIFtVSw6qg2ijwmXyDTJ6ukmHIsYc3Xj8ZK3jeLyLa4eNRxmd9TQO\n");
        closed = registry(CLOSED, "auth: { htpasswd: { realm: it, path: " + users + " } }\n");
        docker = engine.docker();
        docker.run("pull", "-q", SMALL).succeeded();
    }

    @AfterAll void stop() {
        for (Process registry : new Process[] {open, closed}) {
            if (registry != null) registry.destroy();
        }
        if (images != null) images.close();
        if (engine != null) engine.close();
    }

    @Test void eachDockerClientShowsTheLayersAndTheDigest() {
        for (Path program : DockerCli.installed()) {
            String name = HOST + "/clients/" + program.getParent().getParent().getFileName() + ":1";
            var client = new DockerCli(program, "unix://" + engine.socket(), null);
            client.run("tag", SMALL, name).succeeded();
            var lines = client.run("push", name).succeeded().lines().toList();
            assertEquals("The push refers to repository [" + name.replace(":1", "") + "]", lines.getFirst());
            assertEquals(6, lines.stream().filter(l -> l.matches("[0-9a-f]{12}: (Pushed|Mounted from .*)")).count(), lines::toString);
            assertTrue(lines.getLast().matches("1: digest: sha256:[0-9a-f]{64} size: \\d+"), lines::toString);
        }
    }

    @Test void dockerPullsWhatWasPushed() throws IOException {
        push(docker, SMALL, HOST + "/docker/small:1");
        try (var peer = Dockerd.start(engine, engine.scratch().resolve("root"))) {
            peer.docker().run("pull", "-q", HOST + "/docker/small:1").succeeded();
            assertEquals(id(docker, SMALL), id(peer.docker(), HOST + "/docker/small:1"));
            assertEquals("hello", peer.docker().run("run", "--rm", "--network", "none", HOST + "/docker/small:1",
                    "sh", "-c", "echo $GREETING").succeeded());
        }
    }

    @Test void skopeoAndUmociReadWhatWasPushed() throws IOException {
        String digest = push(docker, SMALL, HOST + "/readers/small:1");
        assertEquals(digest, engine.inside("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
                "docker://" + HOST + "/readers/small:1").run().succeeded());
        Path folder = engine.scratch();
        engine.inside("skopeo", "copy", "-q", "--src-tls-verify=false", "docker://" + HOST + "/readers/small:1",
                "oci:" + folder + "/oci:1").run().succeeded();
        Command.of("umoci", "unpack", "--image", folder + "/oci:1", folder + "/bundle").run().succeeded();
        assertEquals("6", Files.readString(folder.resolve("bundle/rootfs/etc/last-layer")).strip());
        try (var files = Files.list(folder.resolve("bundle/rootfs/data/2"))) {
            assertEquals(199, files.count(), "one of them is deleted by an upper layer");
        }
    }

    @Test void dockerPushesTheSameManifestFromOurDataRoot() {
        String ours = push(docker, SMALL, HOST + "/same/ours:1");
        docker.run("tag", SMALL, HOST + "/same/dockers:1").succeeded();
        String again;
        engine.stopDaemon();
        try (var peer = Dockerd.start(engine, engine.data())) {
            var first = peer.docker().run("push", HOST + "/same/ours:1").succeeded();
            assertEquals(6, first.lines().filter(l -> l.endsWith(": Layer already exists")).count(), first);
            assertEquals(ours, digestOf(first));
            var second = peer.docker().run("push", HOST + "/same/dockers:1").succeeded();
            assertEquals(6, second.lines().filter(l -> l.endsWith(": Mounted from same/ours")).count(), second);
            again = digestOf(second);
        } finally {
            engine.startDaemon();
        }
        assertEquals(ours, again);
        var third = docker.run("push", HOST + "/same/dockers:1").succeeded();
        assertEquals(6, third.lines().filter(l -> l.endsWith(": Layer already exists")).count(), "what Docker has noted: " + third);
        assertEquals(ours, digestOf(third));
    }

    @Test void whatDockerPushedWePushAsItWas() {
        Path root = engine.scratch().resolve("root");
        String theirs;
        try (var peer = Dockerd.start(engine, root)) {
            peer.docker().run("import", tar().toString(), HOST + "/theirs:1").succeeded();
            theirs = digestOf(peer.docker().run("push", HOST + "/theirs:1").succeeded());
        }
        docker.run("pull", "-q", HOST + "/theirs:1").succeeded();
        var pushed = push(docker, HOST + "/theirs:1", HOST + "/as/theirs:1");
        assertEquals(theirs, pushed, "layers as they were pulled, under the manifest that Docker makes");
    }

    @Test void allTagsArePushed() {
        for (var tag : List.of("a", "b", "c")) docker.run("tag", SMALL, HOST + "/all:" + tag).succeeded();
        var out = docker.run("push", "-a", HOST + "/all").succeeded();
        Matcher digests = DIGEST.matcher(out);
        assertEquals(3, digests.results().map(r -> r.group(1)).count(), out);
        assertEquals(1, DIGEST.matcher(out).results().map(r -> r.group(1)).distinct().count(), out);
    }

    @Test void thePushIsAnEventAndGivesTheImageItsDigest() {
        String since = Long.toString(System.currentTimeMillis() / 1000);
        String digest = push(docker, SMALL, HOST + "/event:1");
        String until = Long.toString(System.currentTimeMillis() / 1000 + 1);
        var events = docker.run("events", "--since", since, "--until", until, "--filter", "event=push").succeeded();
        assertTrue(events.contains(" image push " + HOST + "/event:1 (") && events.contains("name=" + HOST + "/event"), events);
        assertTrue(docker.run("image", "inspect", "-f", "{{.RepoDigests}}", SMALL).succeeded().contains(HOST + "/event@" + digest));
    }

    @Test void aLoginIsNeededWhereTheRegistryAsksForOne() throws IOException {
        docker.run("tag", SMALL, CLOSED + "/small:1").succeeded();
        var refused = docker.run("push", CLOSED + "/small:1").endedWith(1);
        assertTrue(refused.err().contains("no basic auth credentials"), refused.err());
        for (String password : List.of("guess", "secret")) {
            String auth = Base64.getEncoder().encodeToString(("user:" + password).getBytes());
            Path config = engine.scratch();
            Files.writeString(config.resolve("config.json"), "{\"auths\":{\"" + CLOSED + "\":{\"auth\":\"" + auth + "\"}}}");
            var pushed = docker.command("push", CLOSED + "/small:1").with("DOCKER_CONFIG", config.toString()).run();
            if (password.equals("secret")) assertTrue(DIGEST.matcher(pushed.succeeded()).find());
            else assertTrue(pushed.endedWith(1).err().contains("unauthorized: authentication required"), pushed::toString);
        }
    }

    @Test void whatIsNotThereIsSaidAsDockerSaysIt() {
        assertTrue(docker.run("push", HOST + "/nothing:1").endedWith(1).err()
                .contains("An image does not exist locally with the tag: " + HOST + "/nothing"));
        docker.run("tag", SMALL, HOST + "/something:1").succeeded();
        assertTrue(docker.run("push", HOST + "/something:2").endedWith(1).err().contains("tag does not exist: " + HOST + "/something:2"));
        docker.run("tag", SMALL, "127.0.0.1:1/nobody:1").succeeded();
        var unreachable = docker.run("push", "127.0.0.1:1/nobody:1").endedWith(1);
        String reason = "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused";
        assertTrue(unreachable.err().contains(reason), unreachable.err());
        assertFalse(unreachable.out().contains("Retrying"));
    }

    @Test void aLayerOfManyMegabytesIsPushedInLittleMemory() throws IOException {
        Path big = engine.scratch();
        Command.of("sh", "-c", "cd " + big + " && head -c 250000000 /dev/urandom > noise && tar -cf big.tar noise && rm noise").run().succeeded();
        docker.run("import", big + "/big.tar", HOST + "/big:1").succeeded();
        Files.delete(big.resolve("big.tar"));
        push(docker, HOST + "/big:1", HOST + "/big:1");
        long peak = Files.readAllLines(Path.of("/proc/" + engine.daemon().pid() + "/status")).stream().filter(l -> l.startsWith("VmHWM:"))
                .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElseThrow();
        assertTrue(peak < 200_000, peak + " kB");
        docker.run("rmi", HOST + "/big:1").succeeded();
    }

    private static String push(DockerCli docker, String image, String name) {
        docker.run("tag", image, name).succeeded();
        return digestOf(docker.run("push", name).succeeded());
    }

    private static String digestOf(String output) {
        Matcher digest = DIGEST.matcher(output);
        assertTrue(digest.find(), output);
        return digest.group(1);
    }

    private static String id(DockerCli docker, String image) {
        return docker.run("image", "inspect", "-f", "{{.Id}}", image).succeeded();
    }

    private Path tar() {
        Path tar = engine.scratch().resolve("tree.tar");
        Command.of("tar", "-C", BusyboxImage.tree(engine).toString(), "-cf", tar.toString(), ".").run().succeeded();
        return tar;
    }

    private Process registry(String host, String more) throws IOException {
        Path folder = engine.scratch();
        Files.writeString(folder.resolve("registry.yml"), """
                version: 0.1
                log: { level: error }
                storage: { filesystem: { rootdirectory: %s } }
                http: { addr: "%s" }
                """.formatted(folder.resolve("registry"), host) + more);
        Process process = new ProcessBuilder(engine.inside("docker-registry", "serve", folder.resolve("registry.yml").toString()).words())
                .redirectErrorStream(true).redirectOutput(folder.resolve("registry.log").toFile()).start();
        boolean answers = Engine.become(Duration.ofSeconds(20),
                () -> engine.inside("curl", "-s", "http://" + host + "/v2/").run().status() == 0);
        assertTrue(answers, "the registry answers");
        return process;
    }
}
