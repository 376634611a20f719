package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// `docker save` and `docker load`: between two engines, Docker 20.10 and the tools that others use.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ArchiveIT {
    private static final String IMAGE = "127.0.0.1:5000/it/small:1";
    private Engine engine;
    private DockerCli docker;
    private Path scratch;
    private Dockerd debian;

    @BeforeAll void twoEngines() throws IOException {
        assumeFalse(Engine.PEER, "is about exchange between our engine and dockerd");
        engine = Engine.start("--bridge=none");
        docker = engine.docker();
        scratch = engine.scratch();
        debian = Dockerd.start(engine, engine.scratch().resolve("root"));
        makeImage();
    }

    @AfterAll void stop() {
        if (debian != null) debian.close();
        if (engine != null) engine.close();
    }

    @BeforeEach void anImageOfSeveralLayers() {
        removeAll(debian.docker());
        removeAll(docker);
        docker.command("load", "-i", original().toString()).run().succeeded();
        docker.run("tag", "made:1", IMAGE).succeeded();
    }

    private Path original() {
        return scratch.resolve("original.tar");
    }

    /// Docker's own archive of an image with white-outs, and with the same layer twice, which is a link there.
    private void makeImage() {
        var cli = debian.docker();
        var tree = BusyboxImage.tree(engine);
        shell("tar -C " + tree + " -c . | " + words(cli) + " import -c 'CMD [\"sh\"]' - made:0").run().succeeded();
        var same = "touch -d '2001-02-03 04:05:06' /same";
        var changes = List.of("echo one > /etc/one; ln /etc/one /etc/two; mkdir /opaque; touch /opaque/a",
                "rm -r /etc/one /opaque; mkdir /opaque; touch /opaque/b",
                same, "chmod 4755 /bin/busybox; mknod /null c 1 3; touch -d '2001-02-03 04:05:06' /etc/two", same);
        for (int i = 0; i < changes.size(); i++) {
            cli.run("run", "--network", "none", "--name", "maker", "made:" + i, "sh", "-c", changes.get(i)).succeeded();
            cli.run("commit", "maker", "made:" + (i + 1)).succeeded();
            cli.run("rm", "maker").succeeded();
        }
        cli.run("tag", "made:5", "made:1").succeeded();
        cli.run("save", "-o", original().toString(), "made:1").succeeded();
        removeAll(cli);
    }

    @Test void whatWeSaveDockerLoadsAndRuns() {
        var archive = saved(docker, IMAGE);
        assertEquals("Loaded image: " + IMAGE, debian.docker().run("load", "-i", archive.toString()).succeeded());
        assertEquals(identity(docker), identity(debian.docker()));
        assertEquals("b", debian.docker().run("run", "--rm", "--network", "none", IMAGE, "ls", "/opaque").succeeded());
    }

    @Test void whatDockerSavesWeLoadAndRun() {
        debian.docker().run("load", "-i", original().toString()).succeeded();
        var archive = saved(debian.docker(), "made:1");
        assertTrue(Command.of("tar", "-tvf", archive.toString()).run().succeeded().contains("layer.tar -> ../"));
        removeAll(docker);
        assertEquals("Loaded image: made:1", docker.run("load", "-i", archive.toString()).succeeded());
        assertEquals(debian.docker().run("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "made:1").succeeded(),
                docker.run("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "made:1").succeeded());
        assertEquals("b", docker.run("run", "--rm", "--network", "none", "made:1", "ls", "/opaque").succeeded());
    }

    @Test void bothSaveTheSameConfigurationsLayersAndNames() throws IOException {
        debian.docker().run("load", "-i", saved(docker, IMAGE, "made:1").toString()).succeeded();
        assertEquals(contents(saved(debian.docker(), IMAGE, "made:1")), contents(saved(docker, IMAGE, "made:1")));
    }

    @Test void savedTwiceTheBytesAreTheSame() throws IOException {
        assertEquals(-1, Files.mismatch(saved(docker, IMAGE, "made"), saved(docker, IMAGE, "made")));
    }

    @Test void skopeoAndUmociReadWhatWeSave() {
        assumeSkopeo();
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/umoci")), "needs umoci");
        var archive = saved(docker, IMAGE);
        var layers = docker.run("image", "inspect", "-f", "{{range .RootFS.Layers}}{{println .}}{{end}}", IMAGE).succeeded();
        for (var form : List.of("docker-archive:" + archive, "oci-archive:" + archive + ":1")) {
            var config = Command.of("skopeo", "inspect", "--config", form).run().succeeded();
            assertTrue(layers.lines().allMatch(config::contains), config);
            Command.of("skopeo", "--insecure-policy", "copy", form, "dir:" + scratch.resolve("dir-" + form.hashCode())).run().succeeded();
        }
        var oci = scratch.resolve("oci");
        shell("rm -rf " + oci + "*; mkdir " + oci + "; tar -C " + oci + " -xf " + archive).run().succeeded();
        Command.of("umoci", "unpack", "--image", oci + ":1", oci + "-bundle").run().succeeded();
        assertEquals("b", Command.of("ls", oci + "-bundle/rootfs/opaque").run().succeeded());
        assertEquals("4755", Command.of("stat", "-c", "%a", oci + "-bundle/rootfs/bin/busybox").run().succeeded());
    }

    @ParameterizedTest
    @ValueSource(strings = {"docker-archive", "oci-archive gzip", "oci-archive zstd"})
    void whatSkopeoWritesWeLoad(String form) {
        assumeSkopeo();
        var layers = layers(docker, IMAGE);
        var archive = scratch.resolve(form.replace(' ', '-') + ".tar");
        var copy = Command.of("skopeo", "--insecure-policy", "copy");
        if (form.contains(" ")) copy = copy.and("--dest-compress", "--dest-compress-format", form.split(" ")[1]);
        var target = form.split(" ")[0] + ":" + archive + ":docker.io/library/copied:1";
        copy.and("docker-archive:" + saved(docker, IMAGE), target).run().succeeded();
        removeAll(docker);
        assertEquals("Loaded image: copied:1", docker.run("load", "-i", archive.toString()).succeeded());
        assertEquals(layers, layers(docker, "copied:1"));
        assertEquals("b", docker.run("run", "--rm", "--network", "none", "copied:1", "ls", "/opaque").succeeded());
    }

    @Test void eachDockerCommandLineSavesIntoTheOther() {
        for (var save : DockerCli.installed()) {
            for (var load : DockerCli.installed()) {
                debian.docker().run("rmi", "-f", IMAGE);
                var from = new DockerCli(save, "unix://" + engine.socket(), null);
                var into = new DockerCli(load, debian.docker().host(), null);
                var there = shell(words(from) + " save " + IMAGE + " | " + words(into) + " load -q").run();
                assertEquals("Loaded image: " + IMAGE, there.succeeded());
                docker.run("rmi", "-f", IMAGE);
                var back = shell(words(into) + " save " + IMAGE + " | " + words(from) + " load").run();
                assertEquals("Loaded image: " + IMAGE, back.succeeded());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "bzip2", "xz", "zstd"})
    void anArchiveMayBePacked(String tool) {
        var archive = saved(docker, IMAGE);
        removeAll(docker);
        assertEquals("Loaded image: " + IMAGE, shell(tool + " -c " + archive + " | " + words(docker) + " load").run().succeeded());
    }

    @Test void clientsHearOfEachLayerEachImageAndEachNameThatMoves() {
        docker.run("tag", "made:1", "moves:1").succeeded();
        var archive = saved(docker, "moves:1");
        BusyboxImage.importInto(engine);
        docker.run("tag", BusyboxImage.NAME, "moves:1").succeeded();
        var old = docker.run("image", "inspect", "-f", "{{.Id}}", "moves:1").succeeded();
        assertEquals("The image moves:1 already exists, renaming the old one with ID " + old + " to empty string\nLoaded image: moves:1",
                docker.run("load", "-i", archive.toString()).succeeded());
        removeAll(docker);
        var loud = load(archive, "quiet=0");
        assertTrue(loud.contains("\"status\":\"Loading layer\""), loud);
        assertTrue(loud.strip().endsWith("{\"stream\":\"Loaded image: moves:1\\n\"}"), loud);
        assertEquals("{\"stream\":\"Loaded image: moves:1\\n\"}", load(archive, "").strip());
        var id = docker.run("image", "inspect", "-f", "{{.Id}}", "moves:1").succeeded();
        saved(docker, "moves:1");
        var events = docker.run("events", "--since", "30m", "--until", "0s", "--filter", "image=" + id, "--format", "{{.Action}}")
                .succeeded();
        assertTrue(events.contains("load") && events.contains("save"), events);
    }

    @Test void layersThatAreThereAreNotWrittenAgainFromDockersOwnArchives() {
        var loud = load(original(), "quiet=0");
        assertEquals("{\"stream\":\"Loaded image: made:1\\n\"}", loud.strip());
    }

    @Test void errorsAreOneClearLine() {
        assertEquals("Error response from daemon: No such image: nope", docker.run("save", "nope").endedWith(1).err().strip());
        assertEquals("Error response from daemon: No such image: nope:1", docker.run("save", IMAGE, "nope:1").endedWith(1).err().strip());
        assertEquals("Error response from daemon: invalid archive: does not contain a manifest.json or index.json",
                shell("tar -C /etc -c hostname | " + words(docker) + " load").run().endedWith(1).err().strip());
        assertEquals("Error response from daemon: Error processing tar file: unexpected EOF",
                shell("head -c 100000 " + original() + " | " + words(docker) + " load -q").run().endedWith(1).err().strip());
    }

    @Test void aClientThatLeavesInTheMiddleLeavesNothing() throws IOException {
        removeAll(docker);
        var before = layerFolders();
        var client = interruptedLoad();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> !unfinished().isEmpty()), engine::logTail);
        client.close();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> unfinished().isEmpty() && layerFolders().equals(before)),
                () -> unfinished() + " " + layerFolders());
        assertEquals("Loaded image: made:1", docker.run("load", "-i", original().toString()).succeeded());
    }

    @Test void aDaemonThatIsKilledInTheMiddleLeavesNothing() throws IOException {
        removeAll(docker);
        var before = layerFolders();
        var client = interruptedLoad();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> !unfinished().isEmpty()), engine::logTail);
        engine.killDaemon();
        client.close();
        engine.startDaemon();
        assertEquals(List.of(), unfinished());
        assertEquals(before, layerFolders());
        assertEquals("Loaded image: made:1", docker.run("load", "-i", original().toString()).succeeded());
    }

    @Test void memoryDoesNotGrowWithTheArchive() throws IOException {
        loadsInLittleMemory(300);
    }

    @Tag("long")
    @Test void memoryDoesNotGrowWithAnArchiveOfTwoGigabytes() throws IOException {
        loadsInLittleMemory(2048);
    }

    /// One layer of noise, made while it is sent: nothing of that size lies about.
    private void loadsInLittleMemory(int mebibytes) throws IOException {
        removeAll(docker);
        var status = Path.of("/proc/" + engine.daemon().pid() + "/status");
        Files.writeString(Path.of("/proc/" + engine.daemon().pid() + "/clear_refs"), "5");
        var before = peak(status);
        var maker = scratch.resolve("make-big");
        Files.writeString(maker, """
                import hashlib, io, json, random, sys, tarfile
                size, block = %d << 20, random.Random(1).randbytes(1 << 20)
                def layer(write):
                    head = tarfile.TarInfo('big'); head.size = size
                    write(head.tobuf())
                    for i in range(size >> 20): write(i.to_bytes(8, 'big') + block[8:])
                    write(bytes(1024))
                digest = hashlib.sha256(); layer(digest.update)
                config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {},
                    'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + digest.hexdigest()]}}).encode()
                manifest = json.dumps([{'Config': 'config.json', 'RepoTags': ['big:1'], 'Layers': ['layer/layer.tar']}]).encode()
                out = sys.stdout.buffer
                info = tarfile.TarInfo('layer/layer.tar'); info.size = size + 512 + 1024
                out.write(info.tobuf()); layer(out.write); out.write(bytes(-info.size %% 512))
                for name, content in ('config.json', config), ('manifest.json', manifest):
                    info = tarfile.TarInfo(name); info.size = len(content)
                    out.write(info.tobuf() + content + bytes(-len(content) %% 512))
                out.write(bytes(1024))
                """.formatted(mebibytes));
        assertEquals("Loaded image: big:1", shell("python3 " + maker + " | " + words(docker) + " load -q").run().succeeded());
        var saved = shell(words(docker) + " save big:1 | wc -c").run().succeeded();
        assertTrue(Long.parseLong(saved) > (long) mebibytes << 20, saved);
        var grown = peak(status) - before;
        assertTrue(grown < 48 << 10, "peak memory grew by " + grown + " KiB for " + mebibytes + " MiB");
    }

    private static long peak(Path status) throws IOException {
        var line = Files.readAllLines(status).stream().filter(l -> l.startsWith("VmHWM:")).findFirst().orElseThrow();
        return Long.parseLong(line.replaceAll("\\D", ""));
    }

    /// Sends half an archive, and then nothing.
    private SocketChannel interruptedLoad() throws IOException {
        var client = SocketChannel.open(UnixDomainSocketAddress.of(engine.socket()));
        var archive = Files.readAllBytes(original());
        var head = "POST /images/load HTTP/1.1\r\nHost: docker\r\nContent-Length: " + archive.length + "\r\n\r\n";
        client.write(ByteBuffer.wrap(head.getBytes(US_ASCII)));
        for (var half = ByteBuffer.wrap(archive, 0, archive.length / 2); half.hasRemaining(); ) client.write(half);
        return client;
    }

    private List<String> unfinished() {
        return names("image/overlay2/layerdb/tmp");
    }

    private List<String> layerFolders() {
        return names("overlay2");
    }

    private List<String> names(String folder) {
        try (var files = Files.list(engine.data().resolve(folder))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private String load(Path archive, String query) {
        return Command.of("curl", "-fsN", "-X", "POST", "--unix-socket", engine.socket().toString(), "-T", archive.toString(),
                "http://docker/v1.41/images/load?" + query).run().succeeded();
    }

    private Path saved(DockerCli cli, String... names) {
        try {
            var archive = Files.createTempFile(scratch, "saved", ".tar");
            cli.command("save", "-o", archive.toString()).and(names).run().succeeded();
            return archive;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static String identity(DockerCli cli) {
        return cli.run("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}} {{.Size}}", IMAGE).succeeded();
    }

    private static String layers(DockerCli cli, String image) {
        return cli.run("image", "inspect", "-f", "{{.RootFS.Layers}}", image).succeeded();
    }

    /// By name: the digest of its configuration and those of its layers, lowest first.
    private Map<String, String> contents(Path archive) throws IOException {
        var folder = Files.createTempDirectory(scratch, "contents");
        Command.of("tar", "-C", folder.toString(), "-xf", archive.toString()).run().succeeded();
        var items = "jq -r '.[] | .RepoTags[] as $tag | \"\\($tag) \\(.Config) \\(.Layers | join(\" \"))\"' manifest.json";
        var lines = shell("cd " + folder + "; " + items + " | while read tag files; do echo $tag $(sha256sum $files | cut -d' ' -f1); done")
                .run().succeeded();
        var contents = new TreeMap<String, String>();
        lines.lines().forEach(line -> contents.put(line.split(" ")[0], line));
        return contents;
    }

    private static void assumeSkopeo() {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/skopeo")), "needs skopeo");
    }

    private static Command shell(String script) {
        return new Command(List.of("sh", "-c", script), Map.of(), Duration.ofMinutes(8));
    }

    private static String words(DockerCli cli) {
        return cli.program() + " -H " + cli.host();
    }

    private static void removeAll(DockerCli cli) {
        cli.run("images", "-q", "--no-trunc").out().lines().distinct().forEach(id -> cli.run("rmi", "-f", id));
    }
}
