package io.balena.engine.benchmarks.delta;

import io.balena.engine.delta.DeltaFormat;
import io.balena.engine.delta.DeltaMaker;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
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

/// What making and applying a delta costs, step by step: the index of the base, the search, the patch. The yardstick for each is `rdiff`
/// with balenaEngine's parameters over the same files, as a process.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class LibrsyncKernels {
    private static final int SIZE = 64 << 20;

    /// How far apart changes are, in bytes: as in text that was edited here and there, or as in a program that was built again.
    @Param({"100000", "400"})
    int distance;

    private Path folder;
    private Path old;
    private Path target;
    private Path signature;
    private Path delta;
    private Path rdiffs;
    private Path out;
    private DeltaFiles.FileBase base;
    private DeltaMaker maker;

    @Setup(Level.Trial)
    public void prepare() throws Exception {
        folder = Files.createTempDirectory(Path.of(System.getProperty("bench.folder", "/dev/shm")), "deltas");
        old = folder.resolve("old");
        target = folder.resolve("new");
        signature = folder.resolve("signature");
        delta = folder.resolve("delta");
        rdiffs = folder.resolve("rdiff.delta");
        out = folder.resolve("out");
        byte[] bytes = new byte[SIZE];
        new java.util.Random(1).nextBytes(bytes);
        Files.write(old, bytes);
        var random = new SplittableRandom(2);
        for (int at = random.nextInt(distance); at < SIZE; at += 1 + random.nextInt(2 * distance)) bytes[at] ^= 1;
        Files.write(target, bytes);
        base = new DeltaFiles.FileBase(old);
        maker = DeltaFormat.LIBRSYNC.maker(base, _ -> {});
        search();
        rdiffSignature();
        rdiffDelta();
    }

    @TearDown(Level.Trial)
    public void removeFiles() throws IOException {
        maker.close();
        for (Path file : new Path[] {old, target, signature, delta, rdiffs, out}) Files.deleteIfExists(file);
        Files.delete(folder);
    }

    @Benchmark
    public void index() throws IOException {
        DeltaFormat.LIBRSYNC.maker(base, _ -> {}).close();
    }

    @Benchmark
    public void search() throws IOException {
        try (InputStream in = Files.newInputStream(target); OutputStream to = new BufferedOutputStream(Files.newOutputStream(delta), 1 << 16)) {
            maker.make(in, to, _ -> {});
        }
    }

    @Benchmark
    public void patch() throws IOException {
        byte[] buffer = new byte[1 << 17];
        try (InputStream patched = DeltaFormat.LIBRSYNC.patch(Files.newInputStream(delta), base); OutputStream to = Files.newOutputStream(out)) {
            for (int got = patched.read(buffer); got >= 0; got = patched.read(buffer)) to.write(buffer, 0, got);
        }
    }

    @Benchmark
    public void rdiffSignature() throws Exception {
        rdiff("-b", "512", "-S", "32", "-H", "blake2", "signature", old.toString(), signature.toString());
    }

    @Benchmark
    public void rdiffDelta() throws Exception {
        rdiff("delta", signature.toString(), target.toString(), rdiffs.toString());
    }

    @Benchmark
    public void rdiffPatch() throws Exception {
        rdiff("patch", old.toString(), rdiffs.toString(), out.toString());
    }

    /// Of our delta, with its many short copies.
    @Benchmark
    public void rdiffPatchOfOurs() throws Exception {
        rdiff("patch", old.toString(), delta.toString(), out.toString());
    }

    private static void rdiff(String... arguments) throws Exception {
        var words = new java.util.ArrayList<>(java.util.List.of("rdiff", "--force"));
        words.addAll(java.util.List.of(arguments));
        if (new ProcessBuilder(words).inheritIO().start().waitFor() != 0) throw new IOException(String.join(" ", words));
    }
}
