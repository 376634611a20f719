package io.balena.engine.benchmarks;

import io.balena.engine.distribution.GzipProbe;
import io.balena.engine.graphdriver.Crc64Probe;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.concurrent.TimeUnit;

/// What each step of a pull costs that every byte of a layer passes through, in memory: 96 MB of a few big files.
///
/// The yardstick of inflating is zlib; of the checksum, SHA-256, beside which it runs.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 4, time = 2)
@Measurement(iterations = 4, time = 2)
@Fork(value = 1, jvmArgs = {"-XX:+UseSerialGC", "-Xmx512m", "--enable-native-access=ALL-UNNAMED"})
public class LayerStages {
    private static final int PIECE = 128 << 10;

    private final byte[] piece = new byte[PIECE];
    private Path folder;
    private byte[] packed;
    private byte[] tar;

    @Setup public void makeLayer() throws IOException, InterruptedException {
        folder = Files.createTempDirectory(Path.of(System.getProperty("bench.folder", "/var/tmp")), "layer-stages");
        packed = Files.readAllBytes(SampleLayer.FEW_BIG_FILES.write(folder, "gz"));
        tar = Files.readAllBytes(folder.resolve("FEW_BIG_FILES.tar"));
    }

    @TearDown public void removeLayer() throws IOException {
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) Files.delete(file);
        }
        Files.delete(folder);
    }

    @Benchmark public long inflateByZlib() throws IOException {
        return inflate(GzipProbe.ZLIB);
    }

    @Benchmark public long inflateByIsal() throws IOException {
        return inflate(GzipProbe.ISAL);
    }

    private long inflate(GzipProbe probe) throws IOException {
        long size = 0;
        try (InputStream in = probe.open(new ByteArrayInputStream(packed))) {
            for (int count = in.read(piece); count > 0; count = in.read(piece)) size += count;
        }
        return size;
    }

    @Benchmark public byte[] sha256() throws NoSuchAlgorithmException {
        var digest = MessageDigest.getInstance("SHA-256");
        for (int at = 0; at < tar.length; at += PIECE) digest.update(tar, at, Math.min(PIECE, tar.length - at));
        return digest.digest();
    }

    @Benchmark public long crc64() {
        var crc = new Crc64Probe();
        for (int at = 0; at < tar.length; at += PIECE) {
            int length = Math.min(PIECE, tar.length - at);
            System.arraycopy(tar, at, piece, 0, length);
            crc.update(piece, length);
        }
        return crc.value();
    }
}
