package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Deltas that balenaEngine made, from its own tests, with the outcomes that it has for them.
@Timeout(120)
class DeltaFixturesIT {
    private static final String OLD = "sha256:47bcc53f74dc94b1920f0b34f6036096526296767650f223433fe65c35f149eb";
    private static final String NEW = "sha256:758ec7f3a1ee85f8f08399b55641bfb13e8c1109287ddc5e22b68c3d653152ee";

    @TempDir
    Path root;

    private Path fixtures;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        Optional<Path> found = Stream.iterate(Path.of("").toAbsolutePath(), parent -> parent != null, Path::getParent)
                .map(parent -> parent.resolve("shared/fixtures/delta-on-load")).filter(Files::isDirectory).findFirst();
        assumeTrue(found.isPresent(), "needs ../shared/fixtures/delta-on-load");
        fixtures = found.get();
        engine = Engine.open(root);
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
    }

    @Test
    void aDeltaOfBalenaEngineGivesItsTarget() throws IOException {
        assertEquals(OLD, load("busybox-1.24").id().toString());
        ImageLoader.Loaded loaded = load("busybox-delta");
        assertEquals(NEW, loaded.id().toString());
        assertEquals(List.of("busybox:delta"), loaded.names().stream().map(ImageReference::familiar).toList());
        assertEquals(2, engine.images.list().size());
        assertTrue(Files.isExecutable(engine.fileOf(loaded.id(), 0, "bin/busybox")));
        try (Engine other = Engine.open(root.resolve("other"))) {
            assertEquals(loaded.id(), load(other, "busybox-1.29", new Engine.Messages()).id());
            assertEquals(-1, Files.mismatch(engine.fileOf(loaded.id(), 0, "bin/busybox"), other.fileOf(loaded.id(), 0, "bin/busybox")));
        }
    }

    @Test
    void theMissingBaseIsNamed() {
        String message = assertThrows(DistributionException.NoDeltaBase.class, () -> load("busybox-delta")).getMessage();
        assertTrue(message.contains("failed to get digest " + OLD) && message.contains("loading delta base image"), message);
    }

    @Test
    void aTargetThatIsHereIsNamedAndSaid() throws IOException {
        load("busybox-1.29");
        var messages = new Engine.Messages();
        assertEquals(NEW, load(engine, "busybox-delta", messages).id().toString());
        assertEquals(1, messages.count("Target image already exists locally, no need to load it."));
        assertEquals(NEW, engine.images.resolve("busybox:delta").id().toString());
    }

    @Test
    void aCutDeltaAndOneOfAnotherFormatAreToldApart() throws IOException {
        load("busybox-1.24");
        assertTrue(failure("busybox-delta-truncated").contains("unexpected EOF"), failure("busybox-delta-truncated"));
        assertEquals("failed to register layer: applying delta: Got magic number baaaaaad rather than expected value 72730236",
                failure("busybox-delta-bad-magic"));
        assertEquals(1, engine.images.list().size());
        engine.images.remove(OLD, true, true, _ -> List.of());
        engine.assertEmpty();
    }

    private String failure(String fixture) {
        return assertThrows(DistributionException.class, () -> load(fixture)).getMessage();
    }

    private ImageLoader.Loaded load(String fixture) throws IOException {
        return load(engine, fixture, new Engine.Messages());
    }

    private ImageLoader.Loaded load(Engine into, String fixture, Progress progress) throws IOException {
        try (InputStream archive = Files.newInputStream(fixtures.resolve(fixture + ".tar.gz"))) {
            return into.loader().load(archive, Optional.empty(), progress).getFirst();
        }
    }
}
