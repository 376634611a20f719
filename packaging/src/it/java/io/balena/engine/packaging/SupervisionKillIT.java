package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// `kill -9` of the daemon, or of the shim, while containers talk, start, run further programs and end: none of them dies of it, no
/// exit code is lost, and nothing that they said.
///
/// What ended while a shim was gone has no exit code, and says so. A shim that is killed between writing to a log and taking the same
/// out of the pipe leaves it to the next one to write it again; of a terminal, whose output cannot be left where it is, it loses that.
class SupervisionKillIT {
    private static final int PIECE_LINES = (64 << 10) / 2;
    private final Random random = new Random();

    @Test void fiveDaemonsAndTwoShimsAreKilled() throws Exception {
        kill(5, 2);
    }

    @Tag("long")
    @Test void aHundredDaemonsAndTwentyShimsAreKilled() throws Exception {
        kill(100, 20);
    }

    private void kill(int daemons, int shims) throws Exception {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            List<Talker> talkers = new ArrayList<>();
            for (int i = 0; i < 3; i++) talkers.add(Talker.start(engine.docker(), i == 0));
            var lives = new ShortLives(engine.api());
            try {
                int left = daemons + shims;
                for (int shimsLeft = shims; left > 0; left--) {
                    lives.goOn();
                    Engine.become(Duration.ofMillis(20 + random.nextInt(600)), () -> false);
                    boolean shim = random.nextInt(left) < shimsLeft;
                    if (shim) {
                        shimsLeft--;
                        lives.shimIsKilled();
                        engine.killShim();
                        // Two at once are another test's: a process whose pipes and terminal nobody holds any more is told so by a signal.
                        Talker any = talkers.getFirst();
                        assertTrue(Engine.become(Duration.ofSeconds(60), () -> engine.docker().run("exec", any.id(), "true").status() == 0));
                    } else {
                        engine.killDaemon();
                        lives.hold();
                        engine.startDaemon();
                    }
                    talkers.forEach(Talker::assertAlive);
                }
                lives.hold();
                lives.assertAllEndedAsTheyShould();
                for (Talker talker : talkers) talker.assertLogged(shims * PIECE_LINES, talker.terminal() ? shims * PIECE_LINES : 0);
                System.out.println(daemons + " daemons and " + shims + " shims killed: " + lives);
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError(e.getMessage() + "\n" + engine.logTail(), e);
            } finally {
                lives.close();
            }
        }
    }

    /// Containers that say two lines and end, each with a code of its own, and an exec in between; one after the other, by two clients.
    private static final class ShortLives implements AutoCloseable {
        private final Api api;
        private final Map<String, Integer> codes = new ConcurrentHashMap<>();
        private final List<String> failures = new CopyOnWriteArrayList<>();
        private final List<Thread> clients = new ArrayList<>();
        private volatile int shimsKilled;
        private int execs;
        private int unknown;
        private boolean going;
        private int busy;
        private boolean closed;

        ShortLives(Api api) {
            this.api = api;
            for (int client = 0; client < 2; client++) {
                int first = client;
                clients.add(Thread.ofVirtual().start(() -> {
                    for (int number = first; begin(); number += 2) {
                        try {
                            live(number % 200 + 1);
                        } catch (IOException _) {
                            // the daemon was killed
                        } catch (RuntimeException | AssertionError e) {
                            failures.add(e.toString());
                        } finally {
                            end();
                        }
                    }
                }));
            }
        }

        private void live(int code) throws IOException {
            int shims = shimsKilled;
            var created = api.post("/containers/create", "{\"Image\":\"%s\",\"HostConfig\":{\"NetworkMode\":\"none\"},\"Cmd\":[\"sh\",\"-c\",\"echo begin; sleep 0.%d; echo end; exit %d\"]}"
                    .formatted(BusyboxImage.NAME, code % 4, code));
            if (!created.succeeded()) return;
            String id = created.json().path("Id").asText();
            var started = api.post("/containers/" + id + "/start");
            if (started.status() != 204) {
                assertTrue(shims != shimsKilled || shimsKilled > 0, started::body);
                return;
            }
            codes.put(id, code);
            var exec = api.post("/containers/" + id + "/exec", "{\"AttachStdout\":true,\"Cmd\":[\"sh\",\"-c\",\"exit %d\"]}".formatted(code));
            if (exec.status() != 201) return; // it has ended
            String execId = exec.json().path("Id").asText();
            if (!api.post("/exec/" + execId + "/start", "{}").succeeded()) return; // neither has it begun, nor was it said to have
            JsonNode ended = api.get("/exec/" + execId + "/json").json();
            if (ended.path("Running").asBoolean(true) || ended.path("ExitCode").asInt() == 126 || ended.path("ExitCode").asInt() == 137) return; // its container was quicker
            if (shims == shimsKilled) assertEquals(code, ended.path("ExitCode").asInt(), ended::toString);
            execs++;
        }

        private synchronized boolean begin() {
            try {
                while (!going && !closed) wait();
            } catch (InterruptedException e) {
                return false;
            }
            busy++;
            return !closed;
        }

        private synchronized void end() {
            busy--;
            notifyAll();
        }

        synchronized void goOn() {
            going = true;
            notifyAll();
        }

        synchronized void hold() throws InterruptedException {
            going = false;
            while (busy > 0) wait();
        }

        void shimIsKilled() {
            shimsKilled++;
        }

        void assertAllEndedAsTheyShould() throws IOException {
            assertEquals(List.of(), failures);
            for (var each : codes.entrySet()) {
                assertTrue(Engine.become(Duration.ofSeconds(60), () -> !state(each.getKey()).path("Running").asBoolean()), () -> each.getKey() + " still runs");
                JsonNode state = state(each.getKey());
                if (state.path("ExitCode").asInt() == 255 && state.path("Error").asText().contains("not known")) {
                    unknown++;
                    continue;
                }
                assertEquals(each.getValue(), state.path("ExitCode").asInt(), () -> each.getKey() + ": " + state);
                String log = api.get("/containers/" + each.getKey() + "/logs?stdout=1").body().replaceAll("[^a-z]+", " ").strip();
                assertTrue(log.equals("begin end") || shimsKilled > 0 && log.matches("(begin )+(begin )?(end ?)+"), () -> each.getKey() + " said: " + log);
            }
            assertTrue(unknown <= 2 * shimsKilled + shimsKilled, unknown + " ended without a code though only " + shimsKilled + " shims were killed");
        }

        private JsonNode state(String id) {
            try {
                return api.get("/containers/" + id + "/json").json().path("State");
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }

        @Override public synchronized void close() {
            closed = true;
            notifyAll();
        }

        @Override public String toString() {
            return codes.size() + " containers ended, " + unknown + " of them with no known code, " + execs + " execs";
        }
    }
}
