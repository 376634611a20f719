package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// `docker pull` of real multi-layer images from a real registry, and what can be done with images.
@ExtendWith(SharedEngine.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PullIT {
    private static final String SMALL = Registry.HOST + "/it/small";
    private static final String DEBIAN = Registry.HOST + "/it/debian";
    private Engine engine;
    private Registry registry;
    private DockerCli docker;

    @BeforeAll void start(Engine engine) {
        this.engine = engine;
        registry = Registry.start(engine);
        docker = engine.docker();
    }

    @AfterAll void stop() {
        if (registry != null) registry.close();
    }

    @AfterEach void forgetImages() {
        var ids = docker.run("images", "-q", "--no-trunc", "--filter", "reference=" + Registry.HOST + "/it/*").out().lines().distinct().toList();
        for (var id : ids) docker.run("rmi", "-f", id);
    }

    @Test void aPullShowsEachLayerAndThenTheDigestAndTheStatus() {
        var lines = docker.run("pull", SMALL + ":1").succeeded().lines().toList();
        assertEquals("1: Pulling from it/small", lines.getFirst());
        assertEquals(6, lines.stream().filter(l -> l.matches("[0-9a-f]{12}: Pulling fs layer")).count());
        assertEquals(6, lines.stream().filter(l -> l.matches("[0-9a-f]{12}: Pull complete")).count());
        assertTrue(lines.stream().anyMatch(l -> l.matches("Digest: sha256:[0-9a-f]{64}")), lines::toString);
        assertTrue(lines.contains("Status: Downloaded newer image for " + SMALL + ":1"), lines::toString);
        assertEquals(SMALL + ":1", lines.getLast());
    }

    @Test void aSecondPullFindsTheImageUpToDate() {
        docker.run("pull", SMALL + ":1").succeeded();
        var again = docker.run("pull", SMALL + ":1").succeeded();
        assertTrue(again.contains("Status: Image is up to date for " + SMALL + ":1"), again);
    }

    @Test void layersThatAnotherImageBroughtAreNotFetchedAgain() {
        docker.run("pull", SMALL + ":1").succeeded();
        var second = docker.run("pull", SMALL + ":2").succeeded().lines().toList();
        assertEquals(5, second.stream().filter(l -> l.endsWith(": Already exists")).count(), second::toString);
        assertEquals(1, second.stream().filter(l -> l.endsWith(": Pull complete")).count(), second::toString);
    }

    @Test void totalEventsCountTheWholePull() {
        assumeFalse(Engine.PEER, "only balenaEngine sends Total events");
        var events = Command.of("curl", "-fsN", "-X", "POST", "--unix-socket", engine.socket().toString(),
                "http://docker/v1.41/images/create?fromImage=" + SMALL + "&tag=1").run().succeeded().lines().toList();
        var totals = events.stream().filter(l -> l.contains("\"id\":\"Total\"")).toList();
        assertFalse(totals.isEmpty(), events::toString);
        var last = totals.getLast();
        var current = last.replaceFirst(".*\"current\":(\\d+).*", "$1");
        assertTrue(last.contains("\"total\":" + current), last);
        assertTrue(events.stream().noneMatch(l -> l.contains("\"Downloading\"")), "balenaEngine extracts on the fly");
    }

    @Test void anImageIsPulledByDigest() {
        var digest = docker.run("pull", SMALL + ":1").succeeded().lines().filter(l -> l.startsWith("Digest: "))
                .findFirst().orElseThrow().substring("Digest: ".length());
        docker.run("rmi", SMALL + ":1").succeeded();
        var pulled = docker.run("pull", SMALL + "@" + digest).succeeded();
        assertTrue(pulled.contains("Status: Downloaded newer image for " + SMALL + "@" + digest), pulled);
        assertEquals("[" + SMALL + "@" + digest + "]", docker.run("image", "inspect", "-f", "{{.RepoDigests}}", SMALL + "@" + digest).succeeded());
        assertEquals("hello", docker.run("run", "--rm", "--network", "none", SMALL + "@" + digest, "sh", "-c", "echo $GREETING").succeeded());
    }

    @Test void dockerAndOciManifestsAndListsOfThemNameTheSameImage() {
        var ids = List.of("1", "oci", "list", "index").stream().map(tag -> {
            docker.run("pull", "-q", SMALL + ":" + tag).succeeded();
            return docker.run("image", "inspect", "-f", "{{.Id}}", SMALL + ":" + tag).succeeded();
        }).distinct().toList();
        assertEquals(1, ids.size(), "the same configuration, however it is wrapped: " + ids);
    }

    @Test void whatAnUpperLayerDeletesIsGone() {
        docker.run("pull", "-q", SMALL + ":1").succeeded();
        assertEquals("199 6", docker.run("run", "--rm", "--network", "none", SMALL + ":1", "sh", "-c",
                "echo $(ls /data/2 | wc -l) $(cat /etc/last-layer)").succeeded());
    }

    @Test void aDebianOfSixLayersAndTwentyThousandFilesRuns() {
        Registry.assumeDebianImages();
        docker.run("pull", "-q", DEBIAN + ":gzip").succeeded();
        assertEquals("6", docker.run("image", "inspect", "-f", "{{len .RootFS.Layers}}", DEBIAN + ":gzip").succeeded());
        var files = Integer.parseInt(docker.run("run", "--rm", "--network", "none", DEBIAN + ":gzip",
                "bash", "-c", "find / -xdev | wc -l").succeeded().strip());
        assertTrue(files > 20_000, files + " files");
        assertTrue(docker.run("run", "--rm", "--network", "none", DEBIAN + ":gzip", "dpkg", "--audit").succeeded().isEmpty());
    }

    @Test void theExtractedFilesAreThoseOfTheLayers() {
        Registry.assumeDebianImages();
        docker.run("pull", "-q", DEBIAN + ":gzip").succeeded();
        var script = """
                cd /opt/odd
                stat -c '%n %a %u:%g %h %F' capable hard-link owned setuid sticky fifo
                readlink symbolic-link dangling
                cat hard-link "name with spaces and é中" /etc/issue; echo
                ls /opt/app2/module1 | wc -l; ls -d /opt/app2/module2 2>&1; ls /opt/app3/module0; stat -c %s /opt/big/sparse
                """;
        assertEquals("""
                capable 644 0:0 1 regular file
                hard-link 644 0:0 2 regular file
                owned 644 1234:4321 1 regular file
                setuid 4755 0:0 1 regular file
                sticky 1777 0:0 2 directory
                fifo 644 0:0 1 fifo
                original
                /nowhere/at/all
                linked
                xreplaced

                39
                ls: cannot access '/opt/app2/module2': No such file or directory
                only
                3000000""", docker.run("run", "--rm", "--network", "none", "-e", "LC_ALL=C.UTF-8", DEBIAN + ":gzip", "bash", "-c", script).succeeded());
    }

    @Test void zstdLayersGiveTheSameFilesAsGzipLayers() {
        assumeFalse(Engine.PEER, "docker 20.10 cannot read zstd layers");
        Registry.assumeDebianImages();
        docker.run("pull", "-q", DEBIAN + ":gzip").succeeded();
        var list = "find / -xdev -type f -not -path '/etc/host*' -not -path /etc/resolv.conf -print0 | sort -z | xargs -0 sha256sum | sha256sum";
        var gzip = docker.run("run", "--rm", "--network", "none", DEBIAN + ":gzip", "bash", "-c", list).succeeded();
        var layers = docker.run("image", "inspect", "-f", "{{.RootFS.Layers}}", DEBIAN + ":gzip").succeeded();
        forgetImages();
        docker.run("pull", "-q", DEBIAN + ":zstd").succeeded();
        assertEquals(layers, docker.run("image", "inspect", "-f", "{{.RootFS.Layers}}", DEBIAN + ":zstd").succeeded());
        assertEquals(gzip, docker.run("run", "--rm", "--network", "none", DEBIAN + ":zstd", "bash", "-c", list).succeeded());
    }

    @Test void imagesAreListedTaggedAndRemoved() {
        docker.run("pull", "-q", SMALL + ":1").succeeded();
        docker.run("tag", SMALL + ":1", SMALL + ":again").succeeded();
        var listed = docker.run("images", "--format", "{{.Repository}}:{{.Tag}}", SMALL).succeeded().lines().sorted().toList();
        assertEquals(List.of(SMALL + ":1", SMALL + ":again"), listed);
        assertEquals("Untagged: " + SMALL + ":again", docker.run("rmi", SMALL + ":again").succeeded());
        var removed = docker.run("rmi", SMALL + ":1").succeeded().lines().toList();
        assertEquals("Untagged: " + SMALL + ":1", removed.getFirst());
        assertTrue(removed.stream().filter(l -> l.startsWith("Deleted: sha256:")).count() >= 7, removed::toString);
        assertEquals("", docker.run("images", "-q", SMALL).succeeded());
    }

    @Test void anImageInUseIsNotRemovedWithoutForce() {
        docker.run("pull", "-q", SMALL + ":1").succeeded();
        try (var container = docker.background("--network", "none", SMALL + ":1", "sleep", "1000")) {
            var refused = docker.run("rmi", SMALL + ":1").endedWith(1);
            assertTrue(refused.err().contains("conflict: unable to remove repository reference \"" + SMALL + ":1\" (must force)"), refused.err());
            assertTrue(refused.err().contains(container.id().substring(0, 12)), refused.err());
        }
    }

    @Test void anImportedTarBecomesAnImageWithTheChangesAsked() {
        var tar = engine.scratch().resolve("tree.tar");
        Command.of("tar", "-C", BusyboxImage.tree(engine).toString(), "-cf", tar.toString(), ".").run().succeeded();
        var id = docker.run("import", "-c", "ENV A=b", "-c", "WORKDIR /tmp", "-c", "ENTRYPOINT [\"echo\",\"made\"]", tar.toString(), "imported:1").succeeded();
        assertTrue(id.matches("sha256:[0-9a-f]{64}"), id);
        assertEquals("made", docker.run("run", "--rm", "--network", "none", "imported:1").succeeded());
        assertEquals("[A=b] /tmp", docker.run("image", "inspect", "-f", "{{.Config.Env}} {{.Config.WorkingDir}}", "imported:1").succeeded());
        docker.run("rmi", "imported:1").succeeded();
    }

    @Test void aCompressedTarIsImportedFromStandardInput() throws java.io.IOException {
        var tar = engine.scratch().resolve("tree.tar.gz");
        Command.of("tar", "-C", BusyboxImage.tree(engine).toString(), "-czf", tar.toString(), ".").run().succeeded();
        try (var content = java.nio.file.Files.newInputStream(tar)) {
            docker.run(content, "import", "-", "imported:2").succeeded();
        }
        assertEquals("in", docker.run("run", "--rm", "--network", "none", "imported:2", "echo", "in").succeeded());
        docker.run("rmi", "imported:2").succeeded();
    }

    @Test void removingTheLastImageLeavesNoLayerBehind() {
        assumeFalse(Engine.PEER, "looks into our data root");
        var before = layers();
        docker.run("pull", "-q", SMALL + ":1").succeeded();
        assertNotEquals(before, layers());
        docker.run("rmi", SMALL + ":1").succeeded();
        assertEquals(before, layers());
    }

    private List<String> layers() {
        var names = new java.util.ArrayList<String>();
        for (Path folder : List.of(engine.data().resolve("overlay2"), engine.data().resolve("image/overlay2/layerdb/sha256"))) {
            var found = folder.toFile().list();
            if (found != null) names.addAll(Arrays.asList(found));
        }
        names.sort(null);
        return names;
    }
}
