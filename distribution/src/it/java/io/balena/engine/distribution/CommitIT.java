package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.ContainerLayer;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Images made of containers, as the store keeps them.
@Timeout(60)
class CommitIT {
    @TempDir
    Path root;

    private Engine engine;
    private ImageId base;
    private ContainerLayer container;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        var tar = new ByteArrayInputStream(TestImage.tar(Map.of("old", new byte[10])));
        base = engine.images.importTar(tar, Optional.of(ImageReference.parse("base:1")), "", List.of());
        container = engine.layers.createContainerLayer("c", engine.images.find(base).orElseThrow().chain());
    }

    @AfterEach
    void close() throws IOException {
        if (engine.layers.containerLayer("c").isPresent()) engine.layers.containerLayer("c").get().remove();
        engine.close();
    }

    @Test
    void theParentIsRememberedAcrossARestart() throws IOException {
        change();
        ImageId id = commit("made:1");
        Image image = engine.images.find(id).orElseThrow();
        assertEquals(Optional.of(base), image.parent());
        assertEquals(2, image.diffIds().size());
        assertEquals(10 + 3, image.size());
        assertTrue(engine.images.lastTagged(id).isPresent());
        engine.close();
        engine = Engine.open(root);
        assertEquals(image, engine.images.resolve("made:1"));
        assertEquals("new", Files.readString(engine.fileOf(id, 1, "new")));
    }

    @Test
    void withoutAChangeThereIsAStepButNoLayer() throws IOException {
        Image image = engine.images.find(commit("same:1")).orElseThrow();
        assertEquals(1, image.diffIds().size());
        assertTrue(image.config().path("history").get(1).path("empty_layer").asBoolean());
        assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
        engine.images.remove("base:1", true, true, _ -> List.of());
        engine.images.remove("same:1", true, true, _ -> List.of());
        container.remove();
        engine.assertEmpty();
    }

    @Test
    void anUnnamedImageIsThereToo() throws IOException {
        change();
        ImageId id = commit("");
        assertEquals(List.of(), engine.images.references(id));
        assertEquals(2, engine.images.list().size());
    }

    @Test
    void whenTheFilesCannotBeReadNothingIsLeft() throws IOException {
        change();
        List<String> before = engine.namesIn("overlay2");
        InputStream broken = new FilterInputStream(container.openDiff()) {
            @Override
            public int read(byte[] to, int offset, int length) throws IOException {
                int count = super.read(to, offset, Math.min(length, 600));
                if (count < 0) throw new IOException("container c is being removed");
                return count;
            }
        };
        assertThrows(IOException.class, () -> engine.images.commit(commitOf("made:1"), broken));
        assertEquals(before, engine.namesIn("overlay2"));
        assertEquals(1, engine.images.list().size());
        assertFalse(Files.exists(root.resolve("quarantine")));
    }

    @Test
    void withoutItsParentNoImageIsMade() throws IOException {
        engine.images.remove(base.toString(), true, true, _ -> List.of());
        assertThrows(DistributionException.NoSuchImage.class, () -> commit("made:1"));
        assertEquals(List.of(), engine.images.list());
    }

    @Test
    void aParentThatGoesMeanwhileIsNotNeededAnyMore() throws IOException {
        change();
        InputStream diff = new FilterInputStream(container.openDiff()) {
            private boolean removed;

            @Override
            public int read(byte[] to, int offset, int length) throws IOException {
                if (!removed) engine.images.remove(base.toString(), true, true, _ -> List.of());
                removed = true;
                return super.read(to, offset, length);
            }
        };
        Image image = engine.images.find(engine.images.commit(commitOf("made:1"), diff)).orElseThrow();
        assertEquals(Optional.empty(), image.parent());
        assertEquals(2, image.diffIds().size());
        assertEquals(List.of(image), engine.images.list());
    }

    private void change() throws IOException {
        Files.writeString(container.mount().resolve("new"), "new");
        container.unmount();
    }

    private ImageId commit(String name) throws IOException {
        try (InputStream diff = container.openDiff()) {
            return engine.images.commit(commitOf(name), diff);
        }
    }

    private Commit commitOf(String name) {
        return new Commit(Optional.of(base), "0".repeat(64), "sh", ContainerConfig.empty(), ContainerConfig.empty(), "", "", "test",
                name.isEmpty() ? Optional.empty() : Optional.of(ImageReference.parse(name)));
    }
}
