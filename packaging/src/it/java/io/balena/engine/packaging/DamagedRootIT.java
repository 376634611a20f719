package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// Any one file of a data root is damaged, as bad blocks and other engines' power cuts do it: the engine starts, serves, and costs
/// nobody more than what the file was about.
class DamagedRootIT {
    private Engine engine;
    private Path whole;
    private byte[] base;

    private enum Damage {
        EMPTY, ZEROS, GARBAGE, FOLDER, MISSING;

        void to(Path file) throws IOException {
            int size = (int) Files.size(file);
            var garbage = new byte[size];
            new Random(size).nextBytes(garbage);
            switch (this) {
                case EMPTY -> Files.write(file, new byte[0]);
                case ZEROS -> Files.write(file, new byte[size]);
                case GARBAGE -> Files.write(file, garbage);
                case FOLDER -> {
                    Files.delete(file);
                    Files.createDirectories(file.resolve("inside"));
                }
                case MISSING -> Files.delete(file);
            }
        }
    }

    @BeforeEach void aRootWithSomeOfEverything() throws IOException {
        engine = Engine.prepare("--bridge=none");
        var images = KnownImages.make(engine.scratch(), 1);
        base = images.baseTar();
        engine.startDaemon();
        try (var _ = Registry.start(engine, images.storage())) {
            succeeds(engine.api().postTar("/images/create?fromSrc=-&repo=base&tag=it", base));
            succeeds(engine.api().post("/images/create?fromImage=" + Registry.HOST + "/known/a&tag=1"));
        }
        succeeds(engine.api().post("/images/base:it/tag?repo=tagged&tag=it"));
        succeeds(engine.api().post("/volumes/create", "{\"Name\":\"named\",\"Labels\":{\"a\":\"b\"}}"));
        for (String name : List.of("one", "two")) {
            succeeds(engine.api().post("/containers/create?name=" + name, """
                    {"Image":"%s","Cmd":["true"],"HostConfig":{"NetworkMode":"none","Binds":["named:/named"]}}"""
                    .formatted(name.equals("one") ? "base:it" : Registry.HOST + "/known/a:1")));
            succeeds(engine.api().post("/containers/" + name + "/start"));
            succeeds(engine.api().post("/containers/" + name + "/wait"));
        }
        succeeds(engine.api().get("/info"));
        engine.cutPower();
        whole = engine.scratch().resolve("whole");
        copy(engine.data(), whole);
    }

    @AfterEach void stop() {
        if (engine != null) engine.close();
    }

    @Test void theEngineStartsThoughAFileIsDamaged() throws IOException {
        var cases = cases();
        Collections.shuffle(cases);
        for (Case each : cases.subList(0, 8)) startsWith(each);
    }

    @Tag("long")
    @Test void theEngineStartsWhicheverFileIsDamagedInWhicheverWay() throws IOException {
        for (Case each : cases()) startsWith(each);
    }

    private record Case(Path file, Damage damage) {}

    private List<Case> cases() throws IOException {
        List<Case> cases = new ArrayList<>();
        try (var files = Files.walk(whole)) {
            for (Path file : files.map(whole::relativize).filter(this::isState).sorted().toList()) {
                for (Damage damage : Damage.values()) cases.add(new Case(file, damage));
            }
        }
        return cases;
    }

    private boolean isState(Path file) {
        return Files.isRegularFile(whole.resolve(file), LinkOption.NOFOLLOW_LINKS)
                && !file.toString().matches("overlay2/[^/]+/(diff|work|merged)/.*|volumes/[^/]+/_data/.*|\\.engine-lock");
    }

    private void startsWith(Case each) throws IOException {
        copy(whole, engine.data());
        each.damage.to(engine.data().resolve(each.file));
        try {
            Files.deleteIfExists(engine.log());
            engine.startDaemon();
            var containers = succeeds(engine.api().get("/containers/json?all=1")).json();
            var images = succeeds(engine.api().get("/images/json")).json();
            succeeds(engine.api().get("/info"));
            succeeds(engine.api().get("/volumes"));
            succeeds(engine.api().get("/system/df"));
            // All images and containers here lie on one layer, and may go with it.
            boolean ofLayers = each.file.toString().matches("(image/overlay2/layerdb|overlay2)/.*");
            assertTrue(ofLayers || containers.size() >= 1, () -> "containers: " + containers);
            assertTrue(ofLayers || images.size() >= 1, () -> "images: " + images);
            for (var image : images) succeeds(engine.api().get("/images/" + image.path("Id").asText() + "/json"));
            int running = 0;
            for (var container : containers) {
                String id = container.path("Id").asText();
                succeeds(engine.api().get("/containers/" + id + "/json"));
                if (engine.api().post("/containers/" + id + "/start").succeeded()) running++;
            }
            assertTrue(ofLayers || running >= 1, "no container starts any more");
            succeeds(engine.api().postTar("/images/create?fromSrc=-&repo=again&tag=it", base));
            succeeds(engine.api().post("/containers/create?name=new", """
                    {"Image":"again:it","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}"""));
            succeeds(engine.api().post("/containers/new/start"));
            engine.cutPower();
            // And once more: what was moved and repaired is so for good.
            engine.startDaemon();
            assertEquals(containers.size() + 1, engine.api().get("/containers/json?all=1").json().size());
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(each + ": " + e.getMessage() + "\n" + engine.logTail(), e);
        } finally {
            engine.cutPower();
        }
    }

    private Api.Answer succeeds(Api.Answer answer) {
        assertTrue(answer.succeeded(), () -> answer.body() + "\n" + engine.logTail());
        return answer;
    }

    private static void copy(Path from, Path to) {
        Command.of("sh", "-ec", "rm -rf --one-file-system " + to + "; cp -a " + from + " " + to).run().succeeded();
    }
}
