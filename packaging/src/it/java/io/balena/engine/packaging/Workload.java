package io.balena.engine.packaging;

import io.balena.engine.packaging.Journal.Refused;
import io.balena.engine.packaging.Journal.State;

import java.io.IOException;
import java.net.URLEncoder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;

import static java.nio.charset.StandardCharsets.UTF_8;

/// What a busy day does to an engine: pulls of images that share layers, loads, imports, tags, removals, commits, and containers
/// that are made, renamed, run and removed, all at once and for as long as one likes. Each change is in the [Journal].
///
/// Names: `known/…` are pulled, `loaded…` loaded, `imported…` imported, `tag…` given to the base image, `committed…` committed;
/// containers are called `c…` and `k…`, the latter to be committed.
final class Workload implements AutoCloseable {
    static final String BASE = "base:it";
    private static final String RENAMED = "-renamed";

    private final Api api;
    private final Journal journal;
    private final KnownImages images;
    private final String base;
    private final boolean commits;
    private final boolean loads;
    private final List<Thread> workers = new ArrayList<>();
    private final ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    private final Object gate = new Object();
    private boolean held = true;
    private boolean closed;
    private int busy;

    private interface Step {
        void take(Random random) throws IOException, Refused;
    }

    /// @param api of an engine that has no images yet
    Workload(Api api, Journal journal, KnownImages images) throws IOException {
        this.api = api;
        this.journal = journal;
        this.images = images;
        base = importTar(BASE, images.baseTar());
        commits = api.post("/commit?container=none&repo=none", "{}").body().contains("No such container");
        loads = api.postTar("/images/load", new byte[1024]).status() != 501;
        List<String> pulled = List.copyOf(images.ids().keySet());
        worker("pull-1", random -> pullOrRemove(pulled.get(random.nextInt(2))));
        worker("pull-2", random -> pullOrRemove(pulled.get(2)));
        worker("pull-3", random -> pullOrRemove(pulled.get(3 + random.nextInt(2))));
        worker("tag", random -> tagOrUntag("tag" + random.nextInt(3) + ":it"));
        worker("import", random -> importOrRemove("imported" + random.nextInt(2) + ":it"));
        worker("containers-1", random -> moveOn("c" + random.nextInt(3), random));
        worker("containers-2", random -> moveOn("c" + (3 + random.nextInt(3)), random));
        if (commits) worker("commit", random -> commitOrRemove("k" + random.nextInt(2), random));
        if (loads) {
            byte[] archive = images.archive("loaded0:it", "loaded1:it");
            worker("load", _ -> loadOrRemove(archive));
        }
    }

    /// The id of the image from which there is always a container to be made.
    String base() {
        return base;
    }

    private void worker(String name, Step step) {
        var random = new Random(name.hashCode());
        workers.add(Thread.ofVirtual().name(name).start(() -> {
            while (begin()) {
                try {
                    step.take(random);
                } catch (IOException e) {
                    // The engine is no more: nobody begins anything before there is another.
                    synchronized (gate) {
                        held = true;
                    }
                } catch (Refused e) {
                    if (!isExpected(e.getMessage())) failures.add(new AssertionError(name + ": " + e.getMessage()));
                } catch (RuntimeException | Error e) {
                    failures.add(e);
                } finally {
                    end();
                }
            }
        }));
    }

    /// Others may hold or take away an image at the same time.
    private static boolean isExpected(String refusal) {
        return refusal.contains("conflict: unable to") || refusal.startsWith("No such image") || refusal.startsWith("layer does not exist");
    }

    private boolean begin() {
        synchronized (gate) {
            try {
                while (held && !closed) gate.wait();
            } catch (InterruptedException e) {
                return false;
            }
            if (closed) return false;
            busy++;
            return true;
        }
    }

    private void end() {
        synchronized (gate) {
            busy--;
            gate.notifyAll();
        }
    }

    /// Returns when all that was begun has been answered, or given up because the engine died.
    void hold() throws InterruptedException {
        synchronized (gate) {
            held = true;
            while (busy > 0) gate.wait();
        }
        failOnFailure();
    }

    void goOn() {
        synchronized (gate) {
            held = false;
            gate.notifyAll();
        }
    }

    /// Lets a moment come: after at most `changes` more have been acknowledged, and at most `millis` later.
    void letHappen(int changes, int millis, Random moment) throws InterruptedException {
        long until = journal.acknowledged() + moment.nextInt(changes + 1);
        Engine.become(Duration.ofSeconds(20), () -> journal.acknowledged() >= until);
        Thread.sleep(moment.nextInt(1, millis));
    }

    private void failOnFailure() {
        if (failures.isEmpty()) return;
        var failure = new AssertionError("the engine refused what it must not: " + failures.peek().getMessage());
        failures.stream().limit(5).forEach(failure::addSuppressed);
        throw failure;
    }

    @Override public void close() {
        synchronized (gate) {
            closed = true;
            gate.notifyAll();
        }
        workers.forEach(Thread::interrupt);
    }

    private void pullOrRemove(String name) throws IOException, Refused {
        if (!journal.last(name).isAbsent()) {
            remove(name);
            return;
        }
        int colon = name.lastIndexOf(':');
        var id = new State(images.ids().get(name));
        journal.change(name, id, () -> {
            accepted(api.post("/images/create?fromImage=" + encode(name.substring(0, colon)) + "&tag=" + name.substring(colon + 1)));
            return id;
        });
    }

    private void tagOrUntag(String name) throws IOException, Refused {
        if (!journal.last(name).isAbsent()) {
            remove(name);
            return;
        }
        journal.change(name, new State(base), () -> {
            accepted(api.post("/images/" + base + "/tag?repo=" + name.replace(":", "&tag=")));
            return new State(base);
        });
    }

    private void importOrRemove(String name) throws IOException, Refused {
        if (!journal.last(name).isAbsent()) remove(name);
        else importTar(name, images.smallTar());
    }

    private String importTar(String name, byte[] tar) throws IOException {
        try {
            return journal.change(name, new State("sha256:*"), () -> {
                var answer = api.postTar("/images/create?fromSrc=-&repo=" + name.replace(":", "&tag="), tar);
                var lines = accepted(answer).body().strip().split("\n");
                return new State(lines[lines.length - 1].replaceAll(".*(sha256:[0-9a-f]{64}).*", "$1").strip());
            }).text();
        } catch (Refused e) {
            throw new AssertionError("import: " + e.getMessage(), e);
        }
    }

    private void loadOrRemove(byte[] archive) throws IOException, Refused {
        List<String> pulled = List.copyOf(images.ids().values());
        var first = new State(pulled.get(0));
        var second = new State(pulled.get(3));
        if (!journal.last("loaded0:it").isAbsent()) remove("loaded0:it");
        else if (!journal.last("loaded1:it").isAbsent()) remove("loaded1:it");
        else journal.change("loaded0:it", first, () -> {
            journal.change("loaded1:it", second, () -> {
                accepted(api.postTar("/images/load", archive));
                return second;
            });
            return first;
        });
    }

    private void remove(String name) throws IOException, Refused {
        journal.change(name, State.ABSENT, () -> {
            accepted(api.delete("/images/" + name));
            return State.ABSENT;
        });
    }

    /// The next thing in the life of a container.
    private void moveOn(String name, Random random) throws IOException, Refused {
        State state = journal.last(name);
        if (state.isAbsent()) create(name, image(random));
        else if (random.nextInt(4) == 0) rename(name, state);
        else if (state.text().endsWith(" created") && random.nextInt(3) > 0) run(name, state);
        else removeContainer(name, state);
    }

    private void commitOrRemove(String name, Random random) throws IOException, Refused {
        String commit = "committed-" + name + ":it";
        State container = journal.last(name);
        if (!journal.last(commit).isAbsent()) remove(commit);
        else if (container.isAbsent()) create(name, BASE);
        else if (container.text().endsWith(" created")) run(name, container);
        else if (random.nextInt(3) == 0) removeContainer(name, container);
        else journal.change(commit, new State("sha256:*"), () -> {
            var answer = api.post("/commit?container=" + container.word(0) + "&repo=" + commit.replace(":", "&tag="), "{}");
            return new State(accepted(answer).json().path("Id").asText());
        });
    }

    private String image(Random random) {
        if (random.nextBoolean()) return BASE;
        return List.copyOf(images.ids().keySet()).get(random.nextInt(images.ids().size()));
    }

    private void create(String name, String image) throws IOException, Refused {
        String id = image.equals(BASE) ? base : images.ids().get(image);
        String request = """
                {"Image":"%s","Cmd":["sh","-c","echo %s > /written; cat /data/inner/* > /dev/null"],"Volumes":{"/data":{}},
                 "HostConfig":{"NetworkMode":"none","LogConfig":{"Type":"json-file"}}}""".formatted(image, name);
        journal.change(name, new State("* " + name + " " + id + " created"), () -> {
            var answer = accepted(api.post("/containers/create?name=" + name, request));
            return new State(answer.json().path("Id").asText() + " " + name + " " + id + " created");
        });
    }

    private void rename(String name, State state) throws IOException, Refused {
        String now = state.word(1);
        String next = now.endsWith(RENAMED) ? name : name + RENAMED;
        var renamed = new State(state.word(0) + " " + next + " " + state.text().split(" ", 3)[2]);
        journal.change(name, renamed, () -> {
            accepted(api.post("/containers/" + state.word(0) + "/rename?name=" + next));
            return renamed;
        });
    }

    private void run(String name, State state) throws IOException, Refused {
        String id = state.word(0);
        String unchanged = state.text().substring(0, state.text().lastIndexOf(" created"));
        var started = new State(unchanged + " exited *");
        journal.change(name, started, () -> {
            accepted(api.post("/containers/" + id + "/start"));
            return started;
        });
        var ended = new State(unchanged + " exited 0");
        journal.change(name, ended, () -> {
            accepted(api.post("/containers/" + id + "/wait"));
            return ended;
        });
    }

    private void removeContainer(String name, State state) throws IOException, Refused {
        journal.change(name, State.ABSENT, () -> {
            accepted(api.delete("/containers/" + state.word(0) + "?v=1&force=1"));
            return State.ABSENT;
        });
    }

    private static Api.Answer accepted(Api.Answer answer) throws Refused {
        if (!answer.succeeded()) throw new Refused(answer.failure());
        return answer;
    }

    /// The name, among those in the journal, of a container that is now called `current`.
    static String original(String current) {
        return current.endsWith(RENAMED) ? current.substring(0, current.length() - RENAMED.length()) : current;
    }

    /// What must be said of a run: that it was no run of nothing.
    @Override public String toString() {
        return journal.acknowledged() + " acknowledged changes" + (commits ? ", commits" : "") + (loads ? ", loads" : "");
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, UTF_8);
    }
}
