package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateJournalTest {
    private static final ContainerId ONE = id(1);
    private static final ContainerId TWO = id(2);

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("container-states");
    }

    @Test
    void theNewestStateOfEachIsFound() throws Exception {
        try (var journal = StateJournal.open(file)) {
            for (String state : List.of("a", "b", "c")) journal.append(ONE, state.getBytes(UTF_8));
            journal.append(TWO, new byte[3 * StateJournal.SLOT_BYTES]);
            journal.append(TWO, "z".getBytes(UTF_8));
            journal.sync();
        }
        assertEquals(Map.of(ONE, "c", TWO, "z"), found());
        assertEquals((long) StateJournal.SLOT_BYTES * StateJournal.SLOTS, Files.size(file));
    }

    @Test
    void aTornEntryIsNoneAndTheOneBeforeHolds() throws Exception {
        try (var journal = StateJournal.open(file)) {
            journal.append(ONE, "old".getBytes(UTF_8));
            journal.append(ONE, "new".repeat(3000).getBytes(UTF_8));
        }
        byte[] whole = Files.readAllBytes(file);
        // The second entry has three slots, from the second on.
        for (int torn = StateJournal.SLOT_BYTES; torn < StateJournal.SLOT_BYTES + 9000; torn += 512) {
            try (var bytes = new RandomAccessFile(file.toFile(), "rw")) {
                bytes.write(whole);
                bytes.seek(torn);
                bytes.write(new byte[512]);
            }
            assertEquals(Map.of(ONE, "old"), found(), "512 bytes lost at " + torn);
        }
    }

    @Test
    void garbageIsNoState() throws Exception {
        byte[] garbage = new byte[StateJournal.SLOT_BYTES * StateJournal.SLOTS];
        new Random(3).nextBytes(garbage);
        Files.write(file, garbage);
        assertEquals(Map.of(), found());
        Files.writeString(file, "short");
        assertEquals(Map.of(), found());
    }

    @Test
    void aStateThatIsTooLargeIsRefused() throws Exception {
        try (var journal = StateJournal.open(file)) {
            assertThrows(IOException.class, () -> journal.displaced(StateJournal.SLOT_BYTES * StateJournal.SLOTS / 2));
        }
    }

    @Test
    void noNeededStateIsEverWrittenOver() throws Exception {
        var random = new Random(7);
        Map<ContainerId, String> expected = new HashMap<>();
        Set<ContainerId> elsewhere = new HashSet<>();
        StateJournal journal = StateJournal.open(file);
        for (int i = 0; i < 3000; i++) {
            ContainerId id = id((int) Math.abs(random.nextGaussian() * 6));
            byte[] state = (i + "x".repeat(random.nextInt(9000))).getBytes(UTF_8);
            for (ContainerId displaced : journal.displaced(state.length)) {
                journal.forget(displaced);
                elsewhere.add(displaced);
            }
            journal.append(id, state);
            elsewhere.remove(id);
            expected.put(id, new String(state, UTF_8));
            if (i % 50 != 0) continue;
            journal.close();
            Map<ContainerId, String> found = found();
            expected.forEach((each, last) -> assertTrue(elsewhere.contains(each) || last.equals(found.get(each)), "lost the state of " + each));
            journal = StateJournal.open(file);
            elsewhere.forEach(journal::forget);
        }
        journal.close();
    }

    private Map<ContainerId, String> found() throws IOException {
        try (var journal = StateJournal.open(file)) {
            Map<ContainerId, String> found = new HashMap<>();
            journal.found().forEach((id, entry) -> found.put(id, new String(entry.state(), UTF_8)));
            return found;
        }
    }

    private static ContainerId id(int number) {
        return new ContainerId("%064x".formatted(number));
    }
}
