package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlobRecordsTest {
    private static final DiffId LAYER = new DiffId(Digest.of(new byte[] {0}));
    private static final Digest BLOB = Digest.of(new byte[] {1});

    @TempDir
    Path root;

    private BlobRecords records;
    private Path file;

    @BeforeEach
    void open() {
        records = new BlobRecords(root);
        file = root.resolve("image/overlay2/distribution/v2metadata-by-diffid/sha256/" + LAYER.digest().hex());
    }

    @Test
    void theNewestComesFirst() {
        records.record(pulled(BLOB), LAYER, "docker.io/library/a");
        records.record(new KnownBlob(BLOB, "docker.io/library/b", "0123"), LAYER);
        assertEquals(List.of(new KnownBlob(BLOB, "docker.io/library/b", "0123"), new KnownBlob(BLOB, "docker.io/library/a", "")),
                records.of(LAYER));
    }

    @Test
    void itIsWrittenAsDockerWritesIt() throws IOException {
        records.record(new KnownBlob(BLOB, "docker.io/library/a", "0123"), LAYER);
        String noted = "[{\"Digest\":\"" + BLOB + "\",\"SourceRepository\":\"docker.io/library/a\",\"HMAC\":\"0123\"}]";
        assertEquals(noted, Files.readString(file));
        assertEquals("" + LAYER, Files.readString(root.resolve("image/overlay2/distribution/diffid-by-digest/sha256/" + BLOB.hex())));
    }

    @Test
    void fiftyAreKept() {
        for (int i = 0; i < 60; i++) records.record(pulled(BLOB), LAYER, "docker.io/library/r" + i);
        assertEquals(50, records.of(LAYER).size());
        assertEquals("docker.io/library/r59", records.of(LAYER).getFirst().repository());
    }

    @Test
    void whatIsForgottenIsGoneAndTheLastTakesTheFileAlong() {
        records.record(pulled(BLOB), LAYER, "docker.io/library/a");
        records.record(pulled(BLOB), LAYER, "docker.io/library/b");
        records.forget(new KnownBlob(BLOB, "docker.io/library/b", ""), LAYER);
        assertEquals(List.of(new KnownBlob(BLOB, "docker.io/library/a", "")), records.of(LAYER));
        records.forget(new KnownBlob(BLOB, "docker.io/library/a", ""), LAYER);
        assertFalse(Files.exists(file));
        records.forget(new KnownBlob(BLOB, "docker.io/library/a", ""), LAYER);
    }

    @Test
    void damagedNotesAreNotThere() throws IOException {
        Files.createDirectories(file.getParent());
        for (String damaged : List.of("", "{}", "[null,7,{\"Digest\":\"md5:1\"}]", "[".repeat(100_000))) {
            Files.writeString(file, damaged);
            assertEquals(List.of(), records.of(LAYER));
        }
    }

    private static Descriptor pulled(Digest blob) {
        return new Descriptor(Manifest.SCHEMA2_LAYER, blob, 1000);
    }
}
