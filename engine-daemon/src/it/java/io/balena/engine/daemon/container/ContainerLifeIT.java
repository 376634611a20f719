package io.balena.engine.daemon.container;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.daemon.container.Containers.Condition;
import io.balena.engine.daemon.container.Containers.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ContainerLifeIT {
    private static final String ALONE = "{\"NetworkMode\":\"none\"}";

    @TempDir
    Path root;

    private EngineFixture engine;

    @BeforeEach
    void open() throws Exception {
        engine = new EngineFixture(root);
    }

    @AfterEach
    void close() throws Exception {
        if (engine == null) return;
        engine.close();
        assertEquals(List.of(), engine.mounts());
        assertEquals(List.of(), engine.left(engine.execRoot.resolve("bundles")));
    }

    @Test
    void aProgramRunsAndItsOutputAndExitCodeArrive() throws Exception {
        String id = engine.create(ALONE, "sh", "-c", "echo out; echo err >&2; exit 3");
        assertEquals(Outcome.DONE, engine.containers().start(id));
        assertEquals(3, engine.await(id));
        assertTrue(engine.log(id).contains("\"log\":\"out\\n\",\"stream\":\"stdout\""), engine.log(id));
        assertTrue(engine.log(id).contains("\"log\":\"err\\n\",\"stream\":\"stderr\""));
        var exited = assertInstanceOf(ContainerState.Exited.class, engine.record(id).state());
        assertEquals(3, exited.code());
        assertEquals(List.of(), engine.mounts());
    }

    @Test
    void ofManyWhoStartItAtOnceOneDoes() throws Exception {
        String id = engine.create(ALONE, "sh", "-c", "echo once; sleep 100");
        var outcomes = allAtOnce(8, () -> engine.containers().start(id));
        assertEquals(1, outcomes.stream().filter(o -> o == Outcome.DONE).count());
        assertEquals(7, outcomes.stream().filter(o -> o == Outcome.NOTHING_TO_DO).count());
    }

    @Test
    void ofManyWhoWantANameAtOnceOneGetsIt() throws Exception {
        var results = allAtOnce(6, () -> {
            try {
                return engine.create(Optional.of("wanted"), ALONE, "true");
            } catch (Conflict e) {
                return "";
            }
        });
        assertEquals(1, results.stream().filter(id -> !id.isEmpty()).count());
        assertEquals(1, engine.left(engine.dataRoot.resolve("containers")).size());
    }

    @Test
    void startAndForcedRemovalAtOnceLeaveNothing() throws Exception {
        for (int round = 0; round < 3; round++) {
            String id = engine.create(ALONE, "sleep", "100");
            var racing = List.<Callable<Object>>of(() -> engine.containers().start(id), () -> {
                engine.containers().remove(id, true, true);
                return "removed";
            });
            for (Object result : race(racing)) assertTrue(result instanceof Outcome || result.equals("removed") || result instanceof EngineException,
                    result.toString());
            assertThrows(NotFound.class, () -> engine.record(id));
        }
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("containers")));
    }

    @Test
    void aKillDuringAStopEndsBoth() throws Exception {
        String id = engine.create(ALONE, "sh", "-c", "trap '' TERM; while true; do sleep 1; done");
        engine.containers().start(id);
        var stop = new FutureTask<>(() -> engine.containers().stop(id, Optional.empty(), Optional.of(Duration.ofSeconds(50))));
        Thread.ofVirtual().start(stop);
        engine.containers().kill(id, Signal.KILL);
        assertEquals(Outcome.DONE, stop.get(20, SECONDS));
        assertEquals(137, engine.record(id).state().exitCode());
        assertEquals(Outcome.NOTHING_TO_DO, engine.containers().stop(id, Optional.empty(), Optional.empty()));
    }

    @Test
    void aStopGoesFromAskingToKilling() throws Exception {
        String polite = engine.create(ALONE, "sh", "-c", "trap 'exit 5' TERM; while true; do sleep 0.1; done");
        engine.containers().start(polite);
        engine.containers().stop(polite, Optional.empty(), Optional.of(Duration.ofSeconds(20)));
        // It may be asked before it has set its trap, and then ends of the signal itself.
        assertTrue(List.of(5, 137, 143).contains(engine.record(polite).state().exitCode()));
        String deaf = engine.create(ALONE, "sleep", "100");
        engine.containers().start(deaf);
        engine.containers().stop(deaf, Optional.empty(), Optional.of(Duration.ofMillis(50)));
        assertEquals(137, engine.record(deaf).state().exitCode());
    }

    @Test
    void aFailedStartUndoesEverything() throws Exception {
        String id = engine.create(ALONE, "nonsense");
        var told = assertThrows(InvalidRequest.class, () -> engine.containers().start(id));
        assertTrue(told.getMessage().contains("exec: \"nonsense\": executable file not found in $PATH"), told.getMessage());
        assertEquals(127, engine.record(id).state().exitCode());
        assertInstanceOf(ContainerState.Created.class, engine.record(id).state());
        assertFalse(engine.record(id).started());
        assertEquals(List.of(), engine.mounts());
        String folder = engine.create(ALONE, "/etc");
        assertThrows(InvalidRequest.class, () -> engine.containers().start(folder));
        assertEquals(126, engine.record(folder).state().exitCode());
        String user = engine.create("{\"NetworkMode\":\"none\",\"SecurityOpt\":[],\"GroupAdd\":[\"nogroup\"]}", "true");
        assertThrows(InvalidRequest.class, () -> engine.containers().start(user));
        assertEquals(List.of(), engine.mounts());
    }

    @Test
    void badRequestsChangeNothing() throws Exception {
        assertThrows(NotFound.class, () -> engine.containers().start("nope"));
        assertThrows(InvalidRequest.class, () -> engine.create(Optional.of("a/b"), ALONE, "true"));
        assertThrows(InvalidRequest.class, () -> engine.create("{\"RestartPolicy\":{\"Name\":\"sometimes\"}}", "true"));
        assertThrows(InvalidRequest.class, () -> engine.create("{\"Memory\":5}", "true"));
        assertThrows(InvalidRequest.class, () -> engine.create(ALONE), "no command");
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("containers")));
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("image/overlay2/layerdb/mounts")));
    }

    @Test
    void whatRunsOutlivesTheEngineAndItsExitCodeArrives() throws Exception {
        String staying = engine.create(ALONE, "sleep", "100");
        String ending = engine.create(ALONE, "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 9");
        String removed = engine.create("{\"NetworkMode\":\"none\",\"AutoRemove\":true}", "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done");
        for (String id : List.of(staying, ending, removed)) engine.containers().start(id);
        int pid = engine.record(staying).state().pid();
        Path go = Path.of("/proc", Integer.toString(engine.record(ending).state().pid()), "root/tmp/go");
        Path goToo = Path.of("/proc", Integer.toString(engine.record(removed).state().pid()), "root/tmp/go");
        engine.leave();
        Files.createFile(go);
        Files.createFile(goToo);
        engine.open();
        assertEquals(pid, engine.record(staying).state().pid());
        assertEquals(9, engine.await(ending));
        try {
            engine.containers().await(removed, Condition.REMOVED).get(20, SECONDS);
        } catch (NotFound e) {
            // Was gone already.
        }
        engine.containers().kill(staying, Signal.KILL);
        assertEquals(137, engine.record(staying).state().exitCode());
    }

    @Test
    void whatTheMachineEndedIsSaidToHaveEndedUnknown() throws Exception {
        String id = engine.create("{\"NetworkMode\":\"none\",\"RestartPolicy\":{\"Name\":\"on-failure\"}}", "true");
        var container = engine.engine.store().find(id);
        try (var _ = container.lock()) {
            engine.engine.store().save(container, container.record().with(new ContainerState.Running(1, Instant.now())).wasStarted(),
                    Durability.POWER_CUT);
        }
        engine.leave();
        engine.open();
        assertEquals(255, engine.record(id).state().exitCode());
        engine.engine.startRestarting();
        assertEquals(0, engine.await(id));
    }

    @Test
    void anUnfinishedCreationLeavesNoLayer() throws Exception {
        String id = engine.create(ALONE, "true");
        Files.delete(engine.dataRoot.resolve("containers").resolve(id).resolve("config.v2.json"));
        engine.leave();
        engine.open();
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("containers")));
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("image/overlay2/layerdb/mounts")));
    }

    @Test
    void aPolicyBringsBackWhatFailsAsOftenAsItSays() throws Exception {
        String id = engine.create("{\"NetworkMode\":\"none\",\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}}",
                "sh", "-c", "echo run; exit 4");
        engine.containers().start(id);
        assertEquals(4, engine.await(id));
        assertEquals(2, engine.record(id).restarts());
        assertEquals(3, engine.log(id).lines().count());
    }

    @Test
    void aStopEndsARestartThatIsWaitingForItsTime() throws Exception {
        String id = engine.create("{\"NetworkMode\":\"none\",\"RestartPolicy\":{\"Name\":\"always\"}}", "false");
        engine.containers().start(id);
        assertEquals(Outcome.DONE, engine.containers().stop(id, Optional.empty(), Optional.of(Duration.ofSeconds(1))));
        assertInstanceOf(ContainerState.Exited.class, engine.record(id).state());
        assertTrue(engine.record(id).stoppedByUser());
    }

    @Test
    void aContainerThatIsToBeRemovedIsWhenItEnds() throws Exception {
        String id = engine.create("{\"NetworkMode\":\"none\",\"AutoRemove\":true}", "sh", "-c", "exit 6");
        var removed = engine.containers().await(id, Condition.REMOVED);
        engine.containers().start(id);
        assertEquals(6, removed.get(20, SECONDS));
        assertEquals(List.of(), engine.left(engine.dataRoot.resolve("containers")));
    }

    @Test
    void aPausedContainerCanBeStopped() throws Exception {
        String id = engine.create(ALONE, "sleep", "100");
        engine.containers().start(id);
        engine.containers().pause(id);
        assertThrows(Conflict.class, () -> engine.containers().pause(id));
        assertThrows(Conflict.class, () -> engine.containers().start(id));
        engine.containers().stop(id, Optional.empty(), Optional.of(Duration.ZERO));
        assertEquals(137, engine.record(id).state().exitCode());
    }

    private static <T> List<T> allAtOnce(int times, Callable<T> work) throws Exception {
        List<Callable<T>> all = new ArrayList<>();
        for (int i = 0; i < times; i++) all.add(work);
        return run(all);
    }

    /// Results, or what was thrown.
    private static List<Object> race(List<Callable<Object>> all) throws Exception {
        List<Callable<Object>> caught = new ArrayList<>();
        for (Callable<Object> each : all) {
            caught.add(() -> {
                try {
                    return each.call();
                } catch (EngineException e) {
                    return e;
                }
            });
        }
        return run(caught);
    }

    private static <T> List<T> run(List<Callable<T>> all) throws Exception {
        var go = new CountDownLatch(1);
        List<FutureTask<T>> tasks = new ArrayList<>();
        for (Callable<T> each : all) {
            var task = new FutureTask<>(() -> {
                go.await();
                return each.call();
            });
            tasks.add(task);
            Thread.ofVirtual().start(task);
        }
        go.countDown();
        List<T> results = new ArrayList<>();
        for (FutureTask<T> task : tasks) {
            try {
                results.add(task.get(30, SECONDS));
            } catch (ExecutionException e) {
                throw new AssertionError(e.getCause());
            }
        }
        return results;
    }
}
