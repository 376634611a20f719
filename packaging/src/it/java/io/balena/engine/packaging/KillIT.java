package io.balena.engine.packaging;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.Random;

/// `kill -9` at any moment of a busy day ([Workload]), of the daemon, or of the daemon and the shim. The next daemon goes on with the
/// same data root, and has every change that the one before had acknowledged ([Journal]), every image whole, and nothing
/// that belongs to nothing ([Verification]).
///
/// The long tests kill `-Dfaults` times, 200 unless told.
class KillIT {
    private static final int LONG = Integer.getInteger("faults", 200);
    /// Reading all layers back is only possible while there is no daemon, and takes longer than all else.
    private static final int BETWEEN_READINGS = 10;

    private final Random random = new Random();

    private enum Victim { DAEMON, DAEMON_AND_SHIM }

    @Test void aKilledDaemonLosesNothingThatItAcknowledgedAndLeavesNothingHalf() throws Exception {
        kill(Victim.DAEMON, 4);
    }

    @Test void aDaemonKilledWithItsShimLosesNothingThatItAcknowledgedAndLeavesNothingHalf() throws Exception {
        kill(Victim.DAEMON_AND_SHIM, 4);
    }

    @Tag("long")
    @Test void aDaemonKilledManyTimesLosesNothingThatItAcknowledgedAndLeavesNothingHalf() throws Exception {
        kill(Victim.DAEMON, LONG - LONG / 2);
    }

    @Tag("long")
    @Test void aDaemonKilledManyTimesWithItsShimLosesNothingThatItAcknowledgedAndLeavesNothingHalf() throws Exception {
        kill(Victim.DAEMON_AND_SHIM, LONG / 2);
    }

    private void kill(Victim victim, int count) throws Exception {
        try (var shelf = Shelf.make();
                var engine = Engine.prepare("--bridge=none")) {
            var images = KnownImages.make(engine.scratch(), 3);
            Disk.make(shelf, "disk", 400, Disk.Cache.NONE, "-N", "60000").mount(engine.data());
            engine.startDaemon();
            var journal = new Journal();
            try (var _ = Registry.start(engine, images.storage());
                    var workload = new Workload(engine.api(), journal, images)) {
                for (int number = 1; number <= count; number++) {
                    workload.goOn();
                    workload.letHappen(10, 300, random);
                    long began = System.nanoTime();
                    killDaemon(engine, victim);
                    workload.hold();
                    long ended = System.nanoTime();
                    try {
                        engine.startDaemon();
                        journal.settle(new Verification(engine, journal, images).check(began, ended));
                        if (number % BETWEEN_READINGS == 0 || number == count) readAll(engine);
                    } catch (AssertionError | RuntimeException e) {
                        throw new AssertionError("after kill " + number + ": " + e.getMessage(), e);
                    }
                    if (number % BETWEEN_READINGS != 0 && number != count) continue;
                    System.out.println(number + " of " + count + " kills, " + victim + ": " + workload);
                }
            }
        }
    }

    private static void killDaemon(Engine engine, Victim victim) {
        if (victim == Victim.DAEMON) engine.killDaemon();
        else engine.killAll();
    }

    private static void readAll(Engine engine) throws IOException {
        engine.stopDaemon();
        Verification.checkTars(engine.data());
        engine.startDaemon();
    }
}
