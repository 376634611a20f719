package io.balena.engine.benchmarks;

import com.github.luben.zstd.ZstdInputStream;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.LayerStore;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;

/// Extraction of one layer, compared with `zcat | tar -x` and `zstdcat | tar -x` of the same file.
///
/// Both end with the data in the page cache and a `syncfs`; ours also computes the digest, writes the tar-split record and
/// commits. Needs root.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 12)
@Measurement(iterations = 8)
@Fork(value = 1, jvmArgs = {"-XX:+UseSerialGC", "-Xmx64m", "--enable-native-access=ALL-UNNAMED"})
public class LayerExtraction {
    @Param({"MANY_SMALL_FILES", "FEW_BIG_FILES"}) SampleLayer layer;
    @Param({"gz", "zst"}) String compression;

    private Path root;
    private Path blob;
    private LayerStore store;
    private Path target;
    private Optional<ChainId> made = Optional.empty();

    @Setup public void makeLayer() throws IOException, InterruptedException {
        root = Files.createTempDirectory(Path.of(System.getProperty("bench.folder", "/var/tmp")), "layer-extraction");
        blob = layer.write(root, compression);
        store = LayerStore.open(root.resolve("data"));
    }

    @Setup(Level.Invocation) public void emptyTarget() throws IOException, InterruptedException {
        target = Files.createDirectory(root.resolve("tar"));
        run("sync", "-f", root.toString());
    }

    @TearDown(Level.Invocation) public void removeTarget() throws IOException, InterruptedException {
        if (made.isPresent()) store.release(made.get());
        made = Optional.empty();
        run("rm", "-rf", target.toString());
        run("sync", "-f", root.toString());
    }

    @TearDown public void removeAll() throws IOException, InterruptedException {
        store.close();
        run("rm", "-rf", root.toString());
    }

    @Benchmark public void ours() throws IOException {
        try (var staging = store.stage(); var tar = decompressed()) {
            staging.extract(tar);
            made = Optional.of(staging.commit(Optional.empty()).chainId());
        }
    }

    @Benchmark public void tar() throws IOException, InterruptedException {
        run("sh", "-c", (compression.equals("gz") ? "zcat" : "zstdcat") + " " + blob + " | tar -x -C " + target + " && sync -f " + target);
    }

    private InputStream decompressed() throws IOException {
        var file = Files.newInputStream(blob);
        return compression.equals("gz") ? new GZIPInputStream(file, 64 << 10) : new ZstdInputStream(file);
    }

    private static void run(String... command) throws IOException, InterruptedException {
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) throw new IOException(String.join(" ", command) + " failed");
    }
}
