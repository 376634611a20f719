package io.balena.engine.packaging;

import io.balena.engine.packaging.Journal.State;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// A data root on a small disk that is full, or fills up at many different points of what the engine is doing: the client is told so in
/// one line, the engine lives, what was begun leaves nothing, and when there is room again it works.
class FullDiskIT {
    private static final int POINTS = 12;

    private Shelf shelf;
    private Engine engine;
    private Disk disk;
    private Registry registry;
    private KnownImages images;
    private Api api;
    private final Journal journal = new Journal();

    private interface Request {
        Api.Answer send() throws IOException;
    }

    @BeforeEach void start() throws Exception {
        shelf = Shelf.make();
        engine = Engine.prepare("--bridge=none");
        images = KnownImages.make(engine.scratch(), 2);
        disk = Disk.make(shelf, "small", 40, Disk.Cache.NONE, "-N", "4000");
        disk.mount(engine.data());
        engine.startDaemon();
        registry = Registry.start(engine, images.storage());
        api = engine.api();
        journal.change(Workload.BASE, new State("sha256:*"), () -> {
            assertTrue(importBase().succeeded());
            return new State("sha256:*");
        });
    }

    @AfterEach void stop() {
        if (registry != null) registry.close();
        if (engine != null) engine.close();
        if (shelf != null) shelf.close();
    }

    private Api.Answer importBase() throws IOException {
        return api.postTar("/images/create?fromSrc=-&repo=base&tag=it", images.baseTar());
    }

    @Test void aPullThatDoesNotFitLeavesNothing() throws Exception {
        String name = Registry.HOST + "/known/c";
        fillsUpDuring(() -> api.post("/images/create?fromImage=" + name + "&tag=1"), List.of(name + ":1"));
    }

    @Test void anImportThatDoesNotFitLeavesNothing() throws Exception {
        fillsUpDuring(() -> api.postTar("/images/create?fromSrc=-&repo=imported&tag=it", images.smallTar()), List.of("imported:it"));
    }

    @Test void aLoadThatDoesNotFitLeavesNothing() throws Exception {
        byte[] archive = images.archive("loaded0:it", "loaded1:it");
        fillsUpDuring(() -> api.postTar("/images/load", archive), List.of("loaded0:it", "loaded1:it"));
    }

    /// @param names of the images that it brings
    private void fillsUpDuring(Request request, List<String> names) throws Exception {
        // Once for nothing: folders that have grown do not shrink.
        var before = disk.use();
        succeeds(request);
        long needed = disk.use().bytes() - before.bytes();
        remove(names);
        before = disk.use();
        int failures = 0;
        for (int point = 0; point <= POINTS; point++) {
            fill(before.freeBytes() - needed * point / POINTS);
            Api.Answer answer = request.send();
            makeRoom();
            if (answer.succeeded()) {
                remove(names);
                continue;
            }
            failures++;
            saysThatTheDiskIsFull(answer);
            nothingIsLeft(before, "with room for " + needed * point / POINTS + " bytes of " + needed);
        }
        assertTrue(failures >= POINTS * 2 / 3, "only " + failures + " did not fit");
        succeeds(request);
        remove(names);
        nothingIsLeft(before, "at last");
    }

    private void remove(List<String> names) throws IOException {
        for (String name : names) succeeds(() -> api.delete("/images/" + name));
        succeeds(() -> api.post("/images/prune"));
    }

    @Test void onAFullDiskContainersAreNeitherMadeNorRenamedNorStartedAndNothingIsLeftOfTheAttempts() throws Exception {
        String id = create("made-before");
        var before = disk.use();
        fillWhole();
        saysThatTheDiskIsFull(api.post("/containers/create?name=another", container("true")));
        saysThatTheDiskIsFull(api.post("/containers/made-before/rename?name=renamed"));
        saysThatTheDiskIsFull(api.post("/containers/made-before/start"));
        saysThatTheDiskIsFull(api.post("/images/" + Workload.BASE + "/tag?repo=tagged&tag=it"));
        assertEquals("created", api.get("/containers/" + id + "/json").json().path("State").path("Status").asText());
        assertEquals("/made-before", api.get("/containers/" + id + "/json").json().path("Name").asText());
        makeRoom();
        journal.change("made-before", new State("*"), () -> new State("*"));
        nothingIsLeft(before, "after all that");
        succeeds(() -> api.post("/containers/made-before/rename?name=renamed"));
        succeeds(() -> api.post("/containers/renamed/start"));
        assertEquals(0, api.post("/containers/renamed/wait").json().path("StatusCode").asInt(-1));
        succeeds(() -> api.delete("/containers/renamed"));
    }

    @Test void onAFullDiskWhatRunsCanBeStoppedAndRemovedAndImagesGiveTheirRoomBack() throws Exception {
        String id = api.post("/containers/create?name=running", container("sleep 1000")).json().path("Id").asText();
        succeeds(() -> api.post("/containers/running/start"));
        succeeds(() -> api.post("/images/create?fromImage=" + Registry.HOST + "/known/c&tag=1"));
        fillWhole();
        succeeds(() -> api.post("/containers/running/stop?t=0"));
        assertEquals("exited", api.get("/containers/" + id + "/json").json().path("State").path("Status").asText());
        succeeds(() -> api.delete("/containers/running"));
        succeeds(() -> api.delete("/images/" + Registry.HOST + "/known/c:1"));
        assertFalse(api.get("/images/" + Registry.HOST + "/known/c:1/json").succeeded());
        makeRoom();
        new Verification(engine, journal, images).check(System.nanoTime(), System.nanoTime());
    }

    @Test void theEngineStartsOnAFullDisk() throws Exception {
        create("kept");
        journal.change("kept", new State("*"), () -> new State("*"));
        fillWhole();
        engine.stopDaemon();
        engine.startDaemon();
        assertEquals(1, api.get("/containers/json?all=1").json().size());
        engine.cutPower();
        engine.startDaemon();
        assertEquals(1, api.get("/images/json").json().size());
        makeRoom();
        new Verification(engine, journal, images).check(System.nanoTime(), System.nanoTime());
        succeeds(() -> api.post("/containers/kept/start"));
    }

    private String create(String name) throws IOException {
        return succeeds(() -> api.post("/containers/create?name=" + name, container("true"))).json().path("Id").asText();
    }

    private static String container(String command) {
        return """
                {"Image":"%s","Cmd":["sh","-c","%s"],"HostConfig":{"NetworkMode":"none"}}""".formatted(Workload.BASE, command);
    }

    private Api.Answer succeeds(Request request) throws IOException {
        Api.Answer answer = request.send();
        assertTrue(answer.succeeded(), () -> answer.body() + "\n" + engine.logTail());
        return answer;
    }

    private static void saysThatTheDiskIsFull(Api.Answer answer) {
        assertFalse(answer.succeeded(), () -> answer.status() + ": " + answer.body());
        assertTrue(answer.failure().toLowerCase().contains("no space left on device"), answer.failure());
        assertFalse(answer.failure().strip().contains("\n"), answer.failure());
        assertFalse(answer.failure().contains("Exception"), answer.failure());
    }

    private void nothingIsLeft(Disk.Use before, String when) throws IOException {
        assertTrue(api.get("/_ping").succeeded());
        new Verification(engine, journal, images).check(System.nanoTime(), System.nanoTime());
        var after = disk.use();
        assertEquals(before.inodes(), after.inodes(), when);
        // Folders keep the blocks that they have grown by.
        assertTrue(Math.abs(after.bytes() - before.bytes()) <= 32 << 10, when + ": " + before + ", now " + after);
    }

    /// @param bytes that are not to be had any more
    private void fill(long bytes) {
        // All that there is cannot be had in one piece.
        sh("sync -f DATA; dd if=/dev/zero of=DATA/ballast bs=4k count=" + bytes / 4096 + "; sync -f DATA");
    }

    /// To the last block.
    private void fillWhole() {
        fill(disk.use().freeBytes() + 8192);
        sh("for i in 1 2 3; do dd if=/dev/zero of=DATA/ballast$i bs=1k; sync -f DATA; done");
        assertEquals(0, disk.use().freeBytes());
    }

    private void makeRoom() {
        sh("rm -f DATA/ballast*; sync -f DATA");
    }

    private void sh(String script) {
        Command.of("sh", "-c", script.replace("DATA", engine.data().toString())).run();
    }
}
