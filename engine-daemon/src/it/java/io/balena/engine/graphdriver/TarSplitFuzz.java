package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;

/// Any bytes, as a tar-split record beside a small layer: a tar or an `IOException`, and nothing from outside of the layer.
public final class TarSplitFuzz {
    private static final String SECRET = "this is no file of the layer";
    private static final Path ARENA = arena();
    private static final Path DIFF = ARENA.resolve("diff");

    private TarSplitFuzz() {}

    private static Path arena() {
        try {
            Path memory = Path.of("/dev/shm");
            return Files.createTempDirectory(Files.isWritable(memory) ? memory : Path.of("/tmp"), "tar-split-fuzz-");
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void fuzzerInitialize() throws IOException {
        Files.createDirectories(DIFF.resolve("d"));
        Files.writeString(ARENA.resolve("secret"), SECRET);
        Files.writeString(DIFF.resolve("a"), "hello\n");
        Files.createSymbolicLink(DIFF.resolve("l"), ARENA.resolve("secret"));
        Files.createSymbolicLink(DIFF.resolve("up"), Path.of("../.."));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                TreeRemoval.remove(ARENA);
            } catch (IOException e) {
                System.err.println(e);
            }
        }));
    }

    public static void fuzzerTestOneInput(byte[] lines) throws IOException {
        Path record = ARENA.resolve("record");
        try (var out = new GZIPOutputStream(Files.newOutputStream(record))) {
            out.write(lines);
        }
        try (var tar = new TarAssembler(record, DIFF)) {
            byte[] read = tar.readNBytes(1 << 20);
            if (read.length > 4 * lines.length + 1000 * 6) throw new IllegalStateException("more came out than went in");
            if (new String(read, java.nio.charset.StandardCharsets.ISO_8859_1).contains(SECRET)) throw new IllegalStateException("read outside of the layer");
        } catch (IOException e) {
            // what a damaged record is answered with
        }
        try {
            TarSplitReader.tarSize(record);
        } catch (IOException e) {
            // the same
        }
    }
}
