package io.balena.engine.daemon.container;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.RestartPolicy;
import io.balena.engine.graphdriver.TreeRemoval;
import io.balena.engine.graphdriver.IdentityMapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerStoreTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ContainerId FIRST = new ContainerId("ab1".concat("0".repeat(61)));
    private static final ContainerId SECOND = new ContainerId("ab2".concat("0".repeat(61)));

    @TempDir
    Path root;

    private Path directory;
    private ContainerStore store;

    @BeforeEach
    void open() throws Exception {
        directory = root.resolve("containers");
        var etc = new EtcFiles(directory, new DnsDefaults(List.of(), List.of(), List.of()), new HostsFile(Optional.empty()), IdentityMapping.NONE);
        store = ContainerStore.open(directory, etc, IdentityMapping.NONE);
    }

    @Test
    void aContainerIsFoundByIdNameAndPrefix() throws Exception {
        var first = add(FIRST, "one");
        add(SECOND, "two");
        assertSame(first, store.find(FIRST.hex()));
        assertSame(first, store.find("one"));
        assertSame(first, store.find("/one"));
        assertSame(first, store.find("ab1"));
        assertEquals("multiple IDs found with provided prefix: ab", assertThrows(InvalidRequest.class, () -> store.find("ab")).getMessage());
        assertEquals("No such container: ac", assertThrows(NotFound.class, () -> store.find("ac")).getMessage());
    }

    @Test
    void aNameThatLooksLikeAPrefixIsAName() throws Exception {
        add(FIRST, "one");
        var second = add(SECOND, "ab1");
        assertSame(second, store.find("ab1"));
    }

    @Test
    void aTakenNameIsRefusedInDockersWords() throws Exception {
        add(FIRST, "one");
        assertEquals("Conflict. The container name \"/one\" is already in use by container \"" + FIRST
                        + "\". You have to remove (or rename) that container to be able to reuse that name.",
                assertThrows(Conflict.class, () -> store.reserve("one", SECOND)).getMessage());
    }

    @Test
    void recordsComeBackAsTheyWere() throws Exception {
        var container = add(FIRST, "one");
        var since = Instant.parse("2026-01-01T00:00:00.123456789Z");
        save(container, container.record().with(new ContainerState.Exited(7, true, since, since.plusSeconds(1), "")).wasStarted()
                .stoppedByUser(true).restarted(3));
        open();
        String log = directory.resolve(FIRST.hex()).resolve(FIRST.hex() + "-json.log").toString();
        assertEquals(container.record().loggingTo(log).toString(), store.find("one").record().toString(), "wherever it logged before");
    }

    @Test
    void eachStateComesBack() throws Exception {
        var container = add(FIRST, "one");
        var running = new ContainerState.Running(5, Instant.ofEpochSecond(1));
        var exited = new ContainerState.Exited(1, false, Instant.ofEpochSecond(1), Instant.ofEpochSecond(2), "");
        for (ContainerState state : List.of(new ContainerState.Created(127, "not found"), running, new ContainerState.Paused(running),
                new ContainerState.Restarting(exited), exited)) {
            save(container, container.record().with(state));
            open();
            container = store.find("one");
            assertEquals(state, container.state());
        }
    }

    @Test
    void fieldsOfMobysFilesThatWeDoNotKnowAreKept() throws Exception {
        add(FIRST, "one");
        Path file = directory.resolve(FIRST.hex()).resolve("config.v2.json");
        ObjectNode json = (ObjectNode) JSON.readTree(file.toFile());
        json.put("MountLabel", "kept").putObject("SecretReferences").put("a", 1);
        Files.write(file, JSON.writeValueAsBytes(json));
        open();
        var container = store.find("one");
        save(container, container.record().named("other"));
        store.close();
        var after = JSON.readTree(file.toFile());
        assertEquals("kept", after.get("MountLabel").asText());
        assertEquals(1, after.get("SecretReferences").get("a").asInt());
        assertEquals("/other", after.get("Name").asText());
    }

    @Test
    void onlyWhatChangedIsWritten() throws Exception {
        var container = add(FIRST, "one");
        Path config = directory.resolve(FIRST.hex()).resolve("config.v2.json");
        Path host = directory.resolve(FIRST.hex()).resolve("hostconfig.json");
        var longAgo = FileTime.from(Instant.EPOCH);
        Files.setLastModifiedTime(config, longAgo);
        Files.setLastModifiedTime(host, longAgo);
        save(container, container.record().with(container.state()));
        assertEquals(longAgo, Files.getLastModifiedTime(config), "nothing changed");
        save(container, container.record().with(container.record().host().withRestartPolicy(new RestartPolicy("always", 0))));
        assertEquals(longAgo, Files.getLastModifiedTime(config));
        assertTrue(Files.getLastModifiedTime(host).compareTo(longAgo) > 0);
    }

    @Test
    void aStateThatWasStoredIsThereAfterAPowerCutThoughTheFileIsOlder() throws Exception {
        var container = add(FIRST, "one");
        byte[] before = Files.readAllBytes(config(FIRST));
        for (int i = 1; i <= 3; i++) save(container, container.record().restarted(i));
        assertArrayEquals(before, Files.readAllBytes(config(FIRST)), "written over in the journal");
        open();
        assertEquals(3, store.find("one").record().restarts());
    }

    @Test
    void aNameIsNotLostWithTheJournal() throws Exception {
        var container = add(FIRST, "one");
        save(container, container.record().restarted(1));
        save(container, container.record().named("other"));
        Files.write(root.resolve("container-states"), new byte[10]);
        open();
        assertEquals(1, store.find("other").record().restarts());
        assertThrows(NotFound.class, () -> store.find("one"));
    }

    @Test
    void moreStatesThanTheJournalHoldsLoseNone() throws Exception {
        var containers = new ArrayList<Container>();
        for (int i = 0; i < 9; i++) containers.add(add(new ContainerId(("c" + i).concat("0".repeat(62))), "n" + i));
        var random = new Random(1);
        for (int i = 1; i <= 3 * StateJournal.SLOTS; i++) {
            // Some change often, some seldom: the seldom ones are what a careless journal writes over.
            var container = containers.get((int) Math.min(8, Math.abs(random.nextGaussian() * 3)));
            save(container, container.record().restarted(i));
            if (i % 100 != 0) continue;
            List<Integer> expected = containers.stream().map(each -> each.record().restarts()).toList();
            open();
            for (int c = 0; c < 9; c++) containers.set(c, store.find("n" + c));
            assertEquals(expected, containers.stream().map(each -> each.record().restarts()).toList(), "after " + i);
        }
    }

    @Test
    void whatDockerWroteMeanwhileHolds() throws Exception {
        var container = add(FIRST, "one");
        save(container, container.record().restarted(5));
        // Docker keeps none of the fields that it does not know.
        ObjectNode json = (ObjectNode) JSON.readTree(config(FIRST).toFile());
        json.remove("StateNumber");
        Files.write(config(FIRST), JSON.writeValueAsBytes(json.put("RestartCount", 2)));
        open();
        assertEquals(2, store.find("one").record().restarts());
        container = store.find("one");
        for (int i = 6; i < 9; i++) save(container, container.record().restarted(i));
        open();
        assertEquals(8, store.find("one").record().restarts());
    }

    @Test
    void aStopLeavesEachContainersOwnFileUpToDate() throws Exception {
        var container = add(FIRST, "one");
        save(container, container.record().restarted(7));
        store.close();
        assertEquals(7, JSON.readTree(config(FIRST).toFile()).get("RestartCount").asInt());
        Files.delete(root.resolve("container-states"));
        open();
        assertEquals(7, store.find("one").record().restarts());
    }

    @Test
    void withoutAJournalStatesGoIntoTheFiles() throws Exception {
        var container = add(FIRST, "one");
        save(container, container.record().restarted(1));
        store.close();
        Files.delete(root.resolve("container-states"));
        Files.createDirectory(root.resolve("container-states"));
        open();
        container = store.find("one");
        assertEquals(1, container.record().restarts());
        save(container, container.record().restarted(2));
        assertEquals(2, JSON.readTree(config(FIRST).toFile()).get("RestartCount").asInt());
        Files.delete(root.resolve("container-states"));
        open();
        assertEquals(2, store.find("one").record().restarts());
    }

    private Path config(ContainerId id) {
        return directory.resolve(id.hex()).resolve("config.v2.json");
    }

    @Test
    void aDamagedContainerGoesToQuarantineAndTheOthersLoad() throws Exception {
        for (String file : List.of("config.v2.json", "hostconfig.json")) {
            for (String damage : List.of("", "\0\0\0\0", "{\"State\":", "[]", "{}", "none")) {
                if (file.equals("hostconfig.json") && damage.equals("{}")) continue; // all defaults
                add(FIRST, "one");
                add(SECOND, "two");
                Path folder = directory.resolve(FIRST.hex());
                Files.writeString(folder.resolve("hostname"), "one"); // it was started
                if (damage.equals("none")) Files.delete(folder.resolve(file));
                else Files.writeString(folder.resolve(file), damage);
                open();
                assertEquals(List.of(SECOND), store.all().stream().map(Container::id).toList(), file + ": " + damage);
                assertTrue(Files.exists(root.resolve("quarantine/containers/" + FIRST + "/hostname")));
                assertEquals(List.of(), store.unfinished(), "its layer is not to be removed");
                TreeRemoval.remove(root.resolve("quarantine"));
                TreeRemoval.remove(directory);
                open();
            }
        }
    }

    @Test
    void aContainerWithoutConfigGoesToQuarantine() throws Exception {
        add(FIRST, "one");
        Path file = directory.resolve(FIRST.hex()).resolve("config.v2.json");
        ObjectNode json = (ObjectNode) JSON.readTree(file.toFile());
        json.putNull("Config");
        Files.write(file, JSON.writeValueAsBytes(json));
        open();
        assertTrue(store.all().isEmpty());
        assertTrue(Files.exists(root.resolve("quarantine/containers/" + FIRST)));
    }

    @Test
    void filesThatNeverGotTheirNamesAreDeleted() throws Exception {
        add(FIRST, "one");
        Files.writeString(directory.resolve(FIRST.hex()).resolve(".tmp-config.v2.json123.tmp"), "{");
        open();
        assertEquals("one", store.find(FIRST.hex()).record().name());
        assertFalse(Files.exists(directory.resolve(FIRST.hex()).resolve(".tmp-config.v2.json123.tmp")));
    }

    @Test
    void volumesThatGoWithAnUnfinishedCreationOrRemovalAreFound() throws Exception {
        store.prepare(FIRST);
        store.claim(FIRST, "a".repeat(64));
        var second = add(SECOND, "two");
        store.claim(SECOND, "b".repeat(64));
        store.beginRemoval(second.id());
        open();
        assertEquals(List.of("a".repeat(64)), store.claimed(FIRST.hex()));
        assertEquals(List.of("b".repeat(64)), store.claimed(SECOND.hex()));
    }

    @Test
    void aFinishedContainerClaimsNoVolumes() throws Exception {
        store.prepare(FIRST);
        store.claim(FIRST, "a".repeat(64));
        store.add(record(FIRST, "one"));
        assertEquals(List.of(), store.claimed(FIRST.hex()));
    }

    @Test
    void anUnfinishedCreationIsFound() throws Exception {
        store.prepare(FIRST);
        open();
        assertEquals(List.of(FIRST.hex()), store.unfinished());
        store.forget(FIRST.hex());
        assertFalse(Files.exists(directory.resolve(FIRST.hex())));
    }

    @Test
    void anUnfinishedRemovalIsFound() throws Exception {
        add(FIRST, "one");
        store.beginRemoval(FIRST);
        open();
        assertTrue(store.all().isEmpty());
        assertEquals(List.of(FIRST.hex()), store.unfinished());
        store.forget(FIRST.hex());
        try (var left = Files.list(directory)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void whatCannotBeWrittenHasNotHappened() throws Exception {
        Files.delete(root.resolve("container-states"));
        Files.createDirectory(root.resolve("container-states"));
        open();
        var container = add(FIRST, "one");
        store.beginRemoval(FIRST); // takes the folder away from under it
        var before = container.record();
        try (var _ = container.lock()) {
            assertThrows(IOException.class,
                    () -> store.save(container, before.with(new ContainerState.Running(1, Instant.EPOCH)), Durability.POWER_CUT));
        }
        assertSame(before, container.record());
        assertInstanceOf(ContainerState.Created.class, container.state());
    }

    private void save(Container container, ContainerRecord next) throws Exception {
        try (var _ = container.lock()) {
            store.save(container, next, Durability.POWER_CUT);
        }
    }

    private Container add(ContainerId id, String name) throws Exception {
        store.reserve(name, id);
        store.prepare(id);
        return store.add(record(id, name));
    }

    private static ContainerRecord record(ContainerId id, String name) throws Exception {
        return new ContainerRecord(id, Instant.parse("2026-01-01T00:00:00Z"), name, "sha256:" + "0".repeat(64),
                ContainerConfig.read(JSON.readTree("{\"Image\":\"bb\",\"Cmd\":[\"true\"]}")), HostConfig.read(JSON.readTree("{}")),
                ContainerState.created(), List.of(), NetworkSettings.none(), 0, false, false, "/log", JsonNodeFactory.instance.objectNode());
    }
}
