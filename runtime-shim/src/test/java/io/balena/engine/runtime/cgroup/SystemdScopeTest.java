package io.balena.engine.runtime.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.bus.ScriptedBus;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemdScopeTest {
    private static final String UNIT = "docker-abc.scope";
    private static final Duration LONG = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    private SystemdScope scope(ScriptedBus bus, Duration patience) throws IOException {
        return new SystemdScope(ScopeName.parse("system.slice:docker:abc"), bus.socket, patience);
    }

    private static ScopeProperties properties() throws IOException {
        return ScopeProperties.ofNew(ScopeName.parse("system.slice:docker:abc"), "container docker-abc", 42, null, true);
    }

    @Test
    void aStartWaitsForItsOwnJob() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> {
            assertEquals(UNIT, call.read().string());
            answers.jobRemoved("/job/5", "other.service", "failed");
            answers.done("o", body -> body.string("/job/6"));
            answers.jobRemoved("/job/7", UNIT, "failed");
            answers.jobRemoved("/job/6", UNIT, "done");
        })) {
            scope(bus, LONG).start(properties());
            assertEquals(List.of("AUTH EXTERNAL <user>", "Hello", "AddMatch", "Subscribe", "StartTransientUnit"), bus.called);
        }
    }

    /// systemd may say that it is done before it answers the call.
    @Test
    void aJobMayEndBeforeItsNumberIsKnown() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> {
            answers.jobRemoved("/job/6", UNIT, "done");
            answers.done("o", body -> body.string("/job/6"));
        })) {
            scope(bus, LONG).start(properties());
        }
    }

    @Test
    void aJobThatFailsIsAFailureAndLeavesNoFailedUnit() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> {
            if (member.equals("ResetFailedUnit")) {
                answers.done("", _ -> {});
                return;
            }
            answers.done("o", body -> body.string("/job/6"));
            answers.jobRemoved("/job/6", UNIT, "failed");
        })) {
            var failure = assertThrows(ContainerFailure.class, () -> scope(bus, LONG).start(properties()));
            assertEquals("error creating systemd unit `docker-abc.scope`: got `failed`", failure.getMessage());
            assertEquals("ResetFailedUnit", bus.called.getLast());
        }
    }

    @Test
    void aScopeThatFailedInAnEarlierLifeIsForgotten() throws Exception {
        var starts = new AtomicInteger();
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> {
            if (member.equals("ResetFailedUnit")) {
                answers.done("", _ -> {});
            } else if (starts.incrementAndGet() == 1) {
                answers.refused("org.freedesktop.systemd1.UnitExists", "Unit docker-abc.scope was already loaded or has a fragment file.");
            } else {
                answers.done("o", body -> body.string("/job/6"));
                answers.jobRemoved("/job/6", UNIT, "done");
            }
        })) {
            scope(bus, LONG).start(properties());
            assertEquals(List.of("StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"), bus.called.subList(4, bus.called.size()));
        }
    }

    @Test
    void whatSystemdRefusesIsToldInItsWords() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) ->
                answers.refused("org.freedesktop.DBus.Error.InvalidArgs", "Cannot set property MemoryMax, or unknown property."))) {
            var failure = assertThrows(ContainerFailure.class, () -> scope(bus, LONG).start(properties()));
            assertEquals("unable to start unit \"docker-abc.scope\": Cannot set property MemoryMax, or unknown property.", failure.getMessage());
        }
    }

    @Test
    void toStopWhatIsGoneIsNoFailure() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) ->
                answers.refused("org.freedesktop.systemd1.NoSuchUnit", "Unit docker-abc.scope not loaded."))) {
            scope(bus, LONG).stop();
            assertEquals(List.of("StopUnit", "ResetFailedUnit"), bus.called.subList(4, bus.called.size()));
        }
    }

    @Test
    void aChangeIsWrittenWhenItReturns() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> answers.done("", _ -> {}))) {
            scope(bus, LONG).change(ScopeProperties.ofChange(
                    new RuntimeSpec.Resources(null, null, null, new RuntimeSpec.Pids(7), null, null, null), true));
            assertEquals(List.of("SetUnitProperties", "Ping"), bus.called.subList(2, bus.called.size()));
        }
    }

    @Test
    void aManagerThatDoesNotAnswerIsWaitedForOnlySoLong() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> {})) {
            var failure = assertThrows(ContainerFailure.class, () -> scope(bus, Duration.ofMillis(300)).start(properties()));
            assertTrue(failure.getMessage().endsWith("no answer within the time"), failure.getMessage());
        }
    }

    @Test
    void aBusThatHangsUpIsAFailure() throws Exception {
        try (var bus = new ScriptedBus(folder, (member, call, answers) -> answers.hangUp())) {
            var failure = assertThrows(ContainerFailure.class, () -> scope(bus, LONG).start(properties()));
            assertTrue(failure.getMessage().endsWith("the bus hung up"), failure.getMessage());
        }
    }

    @Test
    void nonsenseOnTheBusIsAFailure() throws Exception {
        for (byte[] nonsense : new byte[][] {new byte[16], new byte[] {'l', 2, 0, 1, -1, -1, -1, 127, 0, 0, 0, 0, 0, 0, 0, 0},
                new byte[] {'l', 2, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 5, 1, 'u', 0, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0},
                new byte[] {'l', 2, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 5, 1, 's', 0, 127, 0, 0, 0}}) {
            try (var bus = new ScriptedBus(folder, (member, call, answers) -> {
                answers.raw(nonsense);
                answers.hangUp();
            })) {
                assertThrows(ContainerFailure.class, () -> scope(bus, LONG).start(properties()));
            }
            java.nio.file.Files.delete(folder.resolve("bus"));
        }
    }

    @Test
    void whereThereIsNoBusThatIsSaid() throws Exception {
        var scope = new SystemdScope(ScopeName.parse("system.slice:docker:abc"), folder.resolve("nothing"), LONG);
        var failure = assertThrows(ContainerFailure.class, () -> scope.start(properties()));
        assertTrue(failure.getMessage().startsWith("unable to start unit \"docker-abc.scope\": cannot talk to the system bus at "), failure.getMessage());
    }
}
