package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Tars of every kind, taken in by Docker 20.10 and here: the same files in `diff`, in everything that a file system can tell, the
/// same size, and the tar back byte for byte. Every difference is in one of the three lists below, with its reason.
class DockerFidelityIT {
    /// Refused here, though Docker could give them out again.
    private static final Map<String, String> REFUSED_HERE = Map.of(
            "pax owner out of range", "Docker cuts the number to 32 bits, which can make root of it",
            "gnu base 256 owner out of range", "Docker cuts the number to 32 bits, which can make root of it",
            "folder entry on a symlink, by another spelling", "to know that no content was reached through the link, all names had to be kept");

    /// Refused by Docker.
    private static final Map<String, String> REFUSED_THERE = Map.of(
            "gnu sparse with a map that goes on", "Docker does not know GNU's own sparse members",
            "gnu tar, gnu, sparse", "Docker does not know GNU's own sparse members",
            "gnu tar, oldgnu, sparse", "Docker does not know GNU's own sparse members",
            "path of 4000 bytes", "with Docker's own path before it, it is longer than a path may be");

    private static final Map<String, String> OTHER_FILES = Map.of(
            "pax xattrs", "Docker loses attributes without a value",
            "pax xattr of overlay", "a layer must not speak in overlayfs' name",
            "times before 1970", "Docker makes 1970 of them",
            "gnu base 256 time before 1970", "Docker makes 1970 of them",
            "times after 2446", "Docker makes 1970 of what 64 bits of nanoseconds do not hold",
            "gnu base 256 owner and times", "Docker makes 1970 of what 64 bits of nanoseconds do not hold",
            "times that nobody lives to see", "Docker makes 1970 of what 64 bits of nanoseconds do not hold");

    /// Docker looks for the file outside of the layer, whoever wrote the record.
    private static final Set<String> UNREADABLE_FOR_DOCKER = Set.of("file through an absolute symlink", "path of 4000 bytes", "names that climb");

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private Map<String, byte[]> samples;
    private Instant start;
    private LayerStore store;
    private Dockerd docker;

    @BeforeEach
    void bothOfThem() throws IOException, InterruptedException {
        Machine.needs("dockerd");
        Machine.needs("bsdtar");
        Machine.needs("python3");
        samples = TarSamples.all(scratch.path());
        Thread.sleep(20); // more than a tick of the clock that files are stamped by
        start = Instant.now();
        store = LayerStore.open(scratch.path().resolve("ours/root"));
        docker = Dockerd.start(Files.createDirectory(scratch.path().resolve("theirs")));
    }

    @AfterEach
    void stop() throws IOException {
        if (docker != null) docker.close();
        if (store != null) store.close();
    }

    @TestFactory
    Stream<DynamicTest> filesAndSizeAreAsInDockerAndTheTarComesBack() {
        return samples.entrySet().stream().map(sample -> DynamicTest.dynamicTest(sample.getKey(), () -> compare(sample.getKey(), sample.getValue())));
    }

    private void compare(String name, byte[] tar) throws IOException {
        Path file = scratch.path().resolve("layer.tar");
        Files.write(file, tar);
        Dockerd.Outcome theirs = docker.attempt("import " + file);
        Layer ours;
        try {
            ours = add(tar);
        } catch (InvalidLayerException e) {
            boolean known = theirs.succeeded() && docker.attempt("save " + theirs.output() + " -o " + scratch + "/saved").succeeded();
            assertEquals(REFUSED_HERE.containsKey(name), known, () -> e.getMessage() + "; Docker: " + theirs);
            return;
        }
        assertEquals(Digest.of(tar), digestOfTar(ours));
        assertFalse(REFUSED_HERE.containsKey(name), "not refused");
        assertEquals(!REFUSED_THERE.containsKey(name), theirs.succeeded(), theirs::error);
        if (!theirs.succeeded()) return;

        String[] inspected = docker.docker("inspect -f '{{.GraphDriver.Data.UpperDir}} {{.Size}}' " + theirs.output()).strip().split(" ");
        assertEquals(inspected[1], Long.toString(ours.size()));
        String theirFiles = TreeListing.of(Path.of(inspected[0]), start);
        String ourFiles = TreeListing.of(Path.of(store.driverData(ours.chainId()).get("UpperDir")), start);
        if (OTHER_FILES.containsKey(name)) assertFalse(theirFiles.equals(ourFiles), "no difference: " + ourFiles);
        else assertEquals(theirFiles, ourFiles);
    }

    /// Whatever the record of a layer says, it is in a form that Docker reads; of sparse files also what Docker could not write.
    @Test
    void dockerGivesOutTheTarOfALayerThatWasTakenInHere() throws IOException {
        var digests = new TreeSet<String>();
        var images = new ArrayList<String>();
        for (var sample : samples.entrySet()) {
            if (UNREADABLE_FOR_DOCKER.contains(sample.getKey())) continue;
            try {
                DiffId diffId = add(sample.getValue()).diffId();
                digests.add(diffId.digest().hex());
                images.add(image(diffId));
            } catch (InvalidLayerException e) {
                // told about in the other test
            }
        }
        assertTrue(images.size() > 100);
        Path saved = Files.createDirectory(scratch.path().resolve("saved"));
        try (var onOurs = Dockerd.start(scratch.path().resolve("ours"))) {
            Dockerd.Outcome outcome = onOurs.attempt("save -o " + saved + ".tar " + String.join(" ", images));
            assertTrue(outcome.succeeded(), outcome::error);
        }
        Machine.sh("tar -xf " + saved + ".tar -C " + saved);
        List<String> given = Machine.sh("cd " + saved + "; find . -name layer.tar -type f -exec sha256sum {} + | cut -d' ' -f1 | sort -u").lines().toList();
        assertEquals(List.copyOf(digests), given);
    }

    private String image(DiffId only) throws IOException {
        byte[] config = ("{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + only + "\"]}}").getBytes(UTF_8);
        String id = Digest.of(config).hex();
        Path content = Files.createDirectories(scratch.path().resolve("ours/root/image/overlay2/imagedb/content/sha256"));
        Files.write(content.resolve(id), config);
        return id;
    }

    private Layer add(byte[] tar) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(new ByteArrayInputStream(tar));
            return staged.commit(Optional.empty());
        }
    }

    private Digest digestOfTar(Layer layer) throws IOException {
        try (var tar = store.openTar(layer.chainId())) {
            return Digest.of(tar.readAllBytes());
        }
    }
}
