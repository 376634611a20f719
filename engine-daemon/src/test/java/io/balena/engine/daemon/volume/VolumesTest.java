package io.balena.engine.daemon.volume;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VolumesTest {
    private static final Description LABELLED = new Description(Map.of("a", "b"), null);

    @TempDir
    Path root;

    private Volumes volumes;

    @BeforeEach
    void open() throws IOException {
        volumes = Volumes.open(root, io.balena.engine.graphdriver.IdentityMapping.NONE, new Events());
    }

    @Test
    void aVolumeIsAFolderWithTheModesThatDockerGives() throws Exception {
        Volume volume = volumes.create("name", "local", Description.NONE);
        assertEquals(root.resolve("volumes/name/_data"), volume.data());
        assertEquals("rwx-----x", permissions(root.resolve("volumes")));
        assertEquals("rwx-----x", permissions(root.resolve("volumes/name")));
        assertEquals("rwxr-xr-x", permissions(volume.data()));
        try (var files = Files.list(root.resolve("volumes/name"))) {
            assertEquals(List.of(volume.data()), files.toList(), "nothing is written of which there is nothing to say");
        }
    }

    @Test
    void labelsAndOptionsOutliveTheEngine() throws Exception {
        var described = new Description(Map.of("a", "b", "c", ""), Map.of("type", "tmpfs", "device", "tmpfs", "o", "size=1m"));
        Volume made = volumes.create("tm", "", described);
        assertEquals("{\"MountType\":\"tmpfs\",\"MountOpts\":\"size=1m\",\"MountDevice\":\"tmpfs\",\"Quota\":{\"Size\":0}}",
                Files.readString(root.resolve("volumes/tm/opts.json")), "as Docker writes it");
        assertEquals("rw-------", permissions(root.resolve("volumes/tm/opts.json")));
        volumes.create("none", "", new Description(Map.of(), null));
        open();
        assertEquals(made, volumes.find("tm"));
        assertEquals(Map.of(), volumes.find("none").description().labels(), "no labels are not the same as none given");
        assertNull(volumes.find("none").description().options());
    }

    @Test
    void aVolumeThatIsThereIsReturnedAsItIs() throws Exception {
        Volume first = volumes.create("name", "", LABELLED);
        assertEquals(first, volumes.create("name", "", new Description(Map.of("other", "x"), null)));
    }

    @Test
    void nonsenseIsRefusedInDockersWords() {
        refused("create a: volume name is too short, names should be at least two alphanumeric characters", "a", Map.of());
        refused("create a/b: \"a/b\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
                + "If you intended to pass a host directory, use absolute path", "a/b", Map.of());
        refused("create xx: invalid option: \"foo\"", "xx", Map.of("foo", "bar"));
        refused("create xx: missing required option: \"device\"", "xx", Map.of("type", "tmpfs"));
        refused("create xx: missing required option: \"type\"", "xx", Map.of("device", "tmpfs"));
        refused("create xx: quota size requested but no quota support", "xx", Map.of("size", "1m"));
        assertEquals("create xx: error looking up volume plugin ceph: plugin \"ceph\" not found",
                assertThrows(NotFound.class, () -> volumes.create("xx", "ceph", Description.NONE)).getMessage());
        assertEquals("get nope: no such volume", assertThrows(NotFound.class, () -> volumes.find("nope")).getMessage());
        assertEquals(List.of(), volumes.all());
    }

    private void refused(String message, String name, Map<String, String> options) {
        assertEquals(message, assertThrows(InvalidRequest.class, () -> volumes.create(name, "", new Description(null, options))).getMessage());
    }

    @Test
    void aVolumeInUseIsNotRemoved() throws Exception {
        volumes.provide("name", "", Description.NONE, "one", Optional.empty());
        volumes.provide("name", "", Description.NONE, "two", Optional.empty());
        assertEquals("remove name: volume is in use - [one, two]", assertThrows(Conflict.class, () -> volumes.remove("name")).getMessage());
        volumes.release("name", "one");
        volumes.release("name", "two");
        volumes.remove("name");
        assertFalse(Files.exists(root.resolve("volumes/name")));
        assertEquals(List.of(), left());
        open();
        assertEquals(List.of(), volumes.all());
    }

    @Test
    void aNewVolumeGetsWhatTheImageHasThere() throws Exception {
        Path content = content();
        Path data = volumes.provide("v1", "", Description.NONE, "one", Optional.of(content)).data();
        assertEquals("x", Files.readString(data.resolve("sub/file")));
        assertEquals(Path.of("/nowhere"), Files.readSymbolicLink(data.resolve("link")));
        assertEquals(Files.getAttribute(data.resolve("sub/file"), "unix:ino"), Files.getAttribute(data.resolve("sub/again"), "unix:ino"));
        assertEquals(FileTime.fromMillis(1_000), Files.getLastModifiedTime(data.resolve("sub")));
        assertEquals("rwxrwx---", permissions(data));

        Files.delete(data.resolve("sub/file"));
        volumes.provide("v1", "", Description.NONE, "two", Optional.of(content));
        assertFalse(Files.exists(data.resolve("sub/file")), "a volume with content is left alone");
        assertEquals(List.of(), left());
    }

    @Test
    void anEmptyVolumeGetsItAsAWhole() throws Exception {
        Path data = volumes.create("v1", "", LABELLED).data();
        Object before = Files.getAttribute(data, "unix:ino");
        volumes.provide("v1", "", Description.NONE, "one", Optional.of(content()));
        assertEquals("x", Files.readString(data.resolve("sub/file")));
        assertFalse(before.equals(Files.getAttribute(data, "unix:ino")), "the filled folder took the place of the empty one");
        assertEquals(List.of(), left());
    }

    @Test
    void anEmptyVolumeThatAnotherContainerUsesKeepsItsFolder() throws Exception {
        Path data = volumes.provide("v1", "", LABELLED, "one", Optional.empty()).data();
        volumes.mount("v1", "one");
        Object before = Files.getAttribute(data, "unix:ino");
        volumes.provide("v1", "", Description.NONE, "two", Optional.of(content()));
        assertEquals("x", Files.readString(data.resolve("sub/file")));
        assertEquals(before, Files.getAttribute(data, "unix:ino"));
    }

    @Test
    void whatACrashLeftHalfMadeIsRemovedAtTheNextStart() throws Exception {
        Files.createDirectories(root.resolve("tmp/volume-0123456789abcdef/_data/half"));
        Files.createDirectories(root.resolve("tmp/something-else"));
        open();
        assertEquals(List.of("something-else"), left());
    }

    @Test
    void damagedFilesCostTheirLabelsOnly() throws Exception {
        volumes.create("name", "", LABELLED);
        volumes.create("tm", "", new Description(null, Map.of("type", "tmpfs", "device", "tmpfs")));
        Files.writeString(root.resolve("volumes/name/volume.json"), "{\"Lab");
        Files.writeString(root.resolve("volumes/tm/opts.json"), "\0\0\0");
        Files.write(root.resolve("volumes/metadata.db"), new byte[20_000]);
        open();
        assertEquals(List.of("name", "tm"), volumes.all().stream().map(Volume::name).toList());
        assertEquals(Description.NONE, volumes.find("name").description());
        assertEquals("tmpfs", volumes.find("tm").mount().orElseThrow().type(), "known from the options as they were given");
    }

    @Test
    void aVolumeWhoseOptionsAreLostIsNotUsedWithoutItsMount() throws Exception {
        volumes.create("tm", "", new Description(null, Map.of("type", "tmpfs", "device", "tmpfs")));
        Files.delete(root.resolve("volumes/tm/volume.json"));
        Files.writeString(root.resolve("volumes/tm/opts.json"), "");
        open();
        assertTrue(assertThrows(IOException.class, () -> volumes.mount("tm", "one")).getMessage().contains("missing device in volume options"));
    }

    @Test
    void ofManyWhoWantAVolumeAtOnceAllGetTheSame() throws Exception {
        Path content = content();
        var all = IntStream.range(0, 8).mapToObj(i -> CompletableFuture.supplyAsync(() -> {
            try {
                return volumes.provide("v1", "", Description.NONE, "c" + i, Optional.of(content));
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        })).toList();
        for (var each : all) assertEquals(all.getFirst().join(), each.join());
        assertEquals(8, volumes.containersOf("v1").size());
        assertEquals("x", Files.readString(volumes.find("v1").data().resolve("sub/file")));
        assertEquals(List.of(), left());
    }

    @Test
    void pruningTakesWhatNobodyRefersTo() throws Exception {
        volumes.create("named", "", LABELLED);
        Volume anonymous = volumes.create("", "", Description.NONE);
        Files.writeString(anonymous.data().resolve("file"), "12345");
        volumes.provide("used", "", Description.NONE, "one", Optional.empty());
        volumes.create("tm", "", new Description(null, Map.of("type", "tmpfs", "device", "tmpfs")));
        var filter = new VolumeFilter(volumes);
        var none = new Filters(Map.of());
        assertEquals(List.of(anonymous), filter.prunable(none, new ApiVersion(1, 42)), "only those without a name of their own");
        assertEquals(List.of(anonymous, volumes.find("named")), filter.prunable(none, new ApiVersion(1, 41)).stream()
                .sorted(java.util.Comparator.comparing(v -> v.name().length() < 64)).toList());
        assertEquals(2, filter.prunable(Filters.parse("{\"all\":[\"true\"]}"), new ApiVersion(1, 42)).size());
        assertEquals(List.of(anonymous), filter.prunable(Filters.parse("{\"label!\":[\"a=b\"]}"), new ApiVersion(1, 41)));
        assertEquals("Invalid filter 'foo'",
                assertThrows(InvalidRequest.class, () -> filter.prunable(Filters.parse("{\"foo\":[\"x\"]}"), new ApiVersion(1, 41))).getMessage());
        assertEquals(new Volumes.Pruned(List.of(anonymous.name()), 5), volumes.prune(filter.prunable(none, new ApiVersion(1, 42))));
    }

    @Test
    void listsAreFilteredAsInDocker() throws Exception {
        volumes.create("one", "", LABELLED);
        volumes.provide("two", "", Description.NONE, "c", Optional.empty());
        assertEquals(List.of("one"), listed("{\"dangling\":[\"true\"]}"));
        assertEquals(List.of("two"), listed("{\"dangling\":{\"false\":true}}"));
        assertEquals(List.of("one"), listed("{\"label\":[\"a\"]}"));
        assertEquals(List.of(), listed("{\"label\":[\"a=c\"]}"));
        assertEquals(List.of("two"), listed("{\"name\":[\"w\"]}"));
        assertEquals(List.of("one", "two"), listed("{\"driver\":[\"local\"]}"));
        assertEquals("Invalid filter 'dangling=[maybe]'", assertThrows(InvalidRequest.class, () -> listed("{\"dangling\":[\"maybe\"]}")).getMessage());
    }

    private List<String> listed(String filters) {
        return new VolumeFilter(volumes).listed(Filters.parse(filters)).stream().map(Volume::name).toList();
    }

    private Path content() throws IOException {
        Path content = root.resolve("image");
        Files.createDirectories(content.resolve("sub"));
        Files.writeString(content.resolve("sub/file"), "x");
        Files.createLink(content.resolve("sub/again"), content.resolve("sub/file"));
        Files.createSymbolicLink(content.resolve("link"), Path.of("/nowhere"));
        Files.setLastModifiedTime(content.resolve("sub"), FileTime.fromMillis(1_000));
        Files.setPosixFilePermissions(content, PosixFilePermissions.fromString("rwxrwx---"));
        return content;
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    private List<String> left() throws IOException {
        try (var files = Files.list(root.resolve("tmp"))) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
