package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Any bytes, extracted into a real folder as root: nothing outside of it changes, and what was taken in comes out again byte for
/// byte. Its own changes, taken as a layer, make a tar that can be taken in as well.
public final class LayerFuzz {
    private static final Blocks BLOCKS = new Blocks();
    private static final Path ARENA = arena();
    private static final Path CANARY = ARENA.resolve("canary");
    private static final Path ROOT = ARENA.resolve("root");
    private static final Path RECORD = ARENA.resolve("record");
    private static final Path SECOND = ARENA.resolve("second");
    /// A tar can claim a file of exabytes, all of it a hole; a diff would write every byte of it.
    private static final long LARGEST_DIFF = 16 << 20;

    private LayerFuzz() {}

    private static Path arena() {
        try {
            Path memory = Path.of("/dev/shm");
            return Files.createTempDirectory(Files.isWritable(memory) ? memory : Path.of("/tmp"), "layer-fuzz-");
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void fuzzerInitialize() throws IOException {
        Files.writeString(CANARY, "alive");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                TreeRemoval.remove(ARENA);
            } catch (IOException e) {
                System.err.println(e);
            }
        }));
    }

    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        byte[] tar = FuzzedTar.of(input);
        Files.createDirectory(ROOT);
        try {
            LayerWriter.Extracted extracted;
            try (var record = Files.newOutputStream(RECORD)) {
                extracted = new LayerExtractor(BLOCKS, IdentityMapping.NONE).extract(new ByteArrayInputStream(tar), ROOT, record).extracted();
            } catch (InvalidLayerException e) {
                return;
            }
            try (var again = new TarAssembler(RECORD, ROOT)) {
                if (!Arrays.equals(tar, again.readAllBytes())) throw new IllegalStateException("put together, it is another tar");
            }
            if (TarSplitReader.tarSize(RECORD) != tar.length) throw new IllegalStateException("its record tells another size");
            if (extracted.size() < LARGEST_DIFF) diffIsALayer();
        } finally {
            TreeRemoval.remove(ROOT);
            isAsBefore();
        }
    }

    private static void diffIsALayer() throws IOException {
        // A folder that is called like a whiteout is taken for one by whoever reads the diff, Docker included.
        try (var files = Files.walk(ROOT)) {
            if (files.anyMatch(file -> Files.isDirectory(file, NOFOLLOW_LINKS) && file.getFileName().toString().startsWith(".wh."))) return;
        }
        Files.createDirectory(SECOND);
        try (var diff = TreeTar.ofLayer(ROOT, IdentityMapping.NONE); var record = Files.newOutputStream(RECORD)) {
            new LayerExtractor(BLOCKS, IdentityMapping.NONE).extract(diff, SECOND, record);
            if (!members(ROOT).equals(members(SECOND))) throw new IllegalStateException("the diff of the diff is another");
        } finally {
            TreeRemoval.remove(SECOND);
        }
    }

    /// The headers of a folder's diff. Of a whiteout only its name means anything.
    private static List<String> members(Path folder) throws IOException {
        var members = new ArrayList<String>();
        try (InputStream diff = TreeTar.ofLayer(folder, IdentityMapping.NONE)) {
            var tar = diff.readAllBytes();
            new TarParser(new TarParser.Visitor() {
                @Override
                public void raw(byte[] bytes, int from, int to) {}

                @Override
                public void entry(TarEntry e) {
                    String path = new String(e.path, ISO_8859_1);
                    members.add(path.contains(".wh.") ? path : path + " " + e.type + " " + e.size + " " + Integer.toOctalString(e.mode) + " " + e.uid + ":"
                            + e.gid + " " + new String(e.linkName, ISO_8859_1) + " " + e.mtimeSeconds + "." + e.mtimeNanos + " " + e.deviceMajor + ":"
                            + e.deviceMinor + " " + (e.xattrs == null ? "" : e.xattrs.keySet()));
                }

                @Override
                public void content(byte[] bytes, int from, int to, long offset) {
                    members.add(Digest.of(Arrays.copyOfRange(bytes, from, to)).hex());
                }
            }).accept(tar, tar.length);
        }
        return members;
    }

    private static void isAsBefore() throws IOException {
        Files.deleteIfExists(RECORD);
        try (var left = Files.list(ARENA)) {
            if (!left.toList().equals(List.of(CANARY))) throw new IllegalStateException("something was made outside of the layer");
        }
        if (!Files.readString(CANARY, UTF_8).equals("alive")) throw new IllegalStateException("something outside of the layer was written");
    }
}
