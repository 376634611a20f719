package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.ContainerLayer.Change.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A data root goes from Docker 20.10 to this store and back, images and containers included.
class DockerRootIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private Path root;
    private Dockerd dockerd;

    @BeforeEach
    void aMachineWithDocker() {
        Machine.needs("dockerd");
        Machine.needs("busybox");
        root = scratch.path().resolve("root");
    }

    @AfterEach
    void stop() throws Exception {
        if (dockerd == null) return;
        dockerd.close();
        dockerd = null;
    }

    @Test
    void whatDockerWroteOpensHere() throws Exception {
        start();
        Machine.sh(busyboxTree("tree") + "; tar -C " + scratch + "/tree -c . | " + dockerCommand("import - made:base"));
        docker("run --network none --name writer made:base sh -c 'echo written > /etc/written; rm /etc/gone'");
        docker("commit writer made:two");
        docker("create --name other made:two true");
        String[] diffIds = docker("inspect -f '{{join .RootFS.Layers \" \"}}' made:two").strip().split(" ");
        String container = docker("inspect -f '{{.Id}}' writer").strip();
        String data = docker("inspect -f '{{.GraphDriver.Data.LowerDir}} {{.GraphDriver.Data.UpperDir}}' made:two").strip();
        String changes = docker("diff writer");
        stop();

        try (var store = LayerStore.open(root)) {
            var layers = List.of(DiffId.parse(diffIds[0]), DiffId.parse(diffIds[1]));
            ChainId top = ChainId.of(layers).orElseThrow();
            Layer layer = store.find(top).orElseThrow();
            assertEquals(layers.get(1), layer.diffId());
            assertEquals(layers.get(1), digestOfTar(store, top));
            assertEquals(layers.get(0), digestOfTar(store, layer.parent().orElseThrow()));
            assertEquals(data, store.driverData(top).get("LowerDir") + " " + store.driverData(top).get("UpperDir"));

            ContainerLayer w = store.containerLayer(container).orElseThrow();
            Path merged = w.mount();
            assertEquals("written\n", Files.readString(merged.resolve("etc/written")));
            assertFalse(Files.exists(merged.resolve("etc/gone")));
            var letters = Map.of(Kind.ADDED, "A ", Kind.MODIFIED, "C ", Kind.DELETED, "D ");
            assertEquals(changes.lines().sorted().toList(), w.changes().stream().map(c -> letters.get(c.kind()) + c.path()).sorted().toList());
            w.unmount();
            assertFalse(Files.exists(root.resolve("quarantine")));
        }
        start();
        assertEquals("written\n", docker("run --rm --network none made:two cat /etc/written"));
    }

    @Test
    void whatIsWrittenHereRunsInDocker() throws Exception {
        Machine.sh(busyboxTree("tree") + "; mkdir -p " + scratch + "/upper/etc; : > " + scratch + "/upper/etc/.wh.gone; echo new > "
                + scratch + "/upper/etc/new; tar -C " + scratch + "/tree -cf " + scratch + "/base.tar . ; tar -C " + scratch + "/upper -cf " + scratch + "/top.tar .");
        Layer base;
        Layer top;
        try (var store = LayerStore.open(root)) {
            base = add(store, "base.tar", Optional.empty());
            top = add(store, "top.tar", Optional.of(base.chainId()));
        }
        byte[] config = ("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"cat\",\"/etc/new\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\""
                + base.diffId() + "\",\"" + top.diffId() + "\"]}}").getBytes(UTF_8);
        String id = Digest.of(config).hex();
        Path content = Files.createDirectories(root.resolve("image/overlay2/imagedb/content/sha256"));
        Files.write(content.resolve(id), config);
        Files.writeString(root.resolve("image/overlay2/repositories.json"),
                "{\"Repositories\":{\"ours\":{\"ours:latest\":\"sha256:" + id + "\"}}}");

        start();
        assertEquals("new\n", docker("run --network none --name other ours"));
        assertEquals("gone is gone\n", docker("run --rm --network none ours sh -c 'test -e /etc/gone || echo gone is gone'"));
        assertEquals(Long.toString(base.size() + top.size()), docker("inspect -f '{{.Size}}' ours").strip());
        Machine.sh("mkdir " + scratch + "/saved; " + dockerCommand("save ours") + " | tar -x -C " + scratch + "/saved");
        String digests = Machine.sh("cd " + scratch + "/saved; sha256sum */layer.tar | cut -d' ' -f1 | sort");
        assertEquals(List.of(base.diffId().digest().hex(), top.diffId().digest().hex()).stream().sorted().toList(), digests.lines().toList());
        docker("rm other");
        docker("rmi ours");
        stop();

        try (var store = LayerStore.open(root)) {
            assertTrue(store.find(top.chainId()).isEmpty());
            assertEquals("l", Machine.sh("ls " + root + "/overlay2").strip());
        }
    }

    @Test
    void aFinishedLayerThatWaitsForTheOneBelowDoesNotDisturbDocker() throws Exception {
        Machine.sh(busyboxTree("tree") + "; tar -C " + scratch + "/tree -cf " + scratch + "/layer.tar .");
        var missing = new ChainId(Digest.of(new byte[] {1}));
        ChainId waiting;
        try (var store = LayerStore.open(root); var in = Files.newInputStream(scratch.path().resolve("layer.tar")); var staged = store.stage()) {
            waiting = ChainId.of(Optional.of(missing), staged.extract(in));
            staged.finish(Optional.of(missing));
            assertTrue(store.find(waiting).isEmpty());
        }
        start();
        Machine.sh("cat " + scratch + "/layer.tar | " + dockerCommand("import - made:base"));
        assertEquals("x\n", docker("run --rm --network none made:base cat /etc/gone"));
        docker("rmi made:base");
        stop();
        try (var store = LayerStore.open(root)) {
            store.removeUnused(java.time.Instant.MAX);
            assertFalse(Files.exists(root.resolve("quarantine")), Machine.sh("find " + root + "/quarantine 2>&1 | head -20"));
            assertEquals("l", Machine.sh("ls " + root + "/overlay2").strip());
        }
    }

    private Layer add(LayerStore store, String tar, Optional<ChainId> parent) throws IOException {
        try (var in = Files.newInputStream(scratch.path().resolve(tar)); var staged = store.stage()) {
            staged.extract(in);
            return staged.commit(parent);
        }
    }

    private static DiffId digestOfTar(LayerStore store, ChainId chain) throws IOException {
        try (var tar = store.openTar(chain)) {
            return new DiffId(Digest.of(tar.readAllBytes()));
        }
    }

    private String busyboxTree(String name) {
        return "cd " + scratch + "; mkdir -p " + name + "/bin " + name + "/etc " + name + "/tmp; cp /bin/busybox " + name
                + "/bin; for a in sh cat test true rm; do ln -s busybox " + name + "/bin/$a; done; echo x > " + name + "/etc/gone; chmod 1777 " + name + "/tmp";
    }

    private void start() throws IOException {
        dockerd = Dockerd.start(scratch.path());
    }

    private String dockerCommand(String command) {
        return dockerd.command(command);
    }

    private String docker(String command) throws IOException {
        return dockerd.docker(command);
    }
}
