package io.balena.engine.delta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Our deltas and those of librsync's own program, each applied by the other.
class RdiffIT {
    @TempDir
    private static Path folder;

    @BeforeAll
    static void rdiffIsThere() {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/rdiff")), "needs rdiff");
    }

    private record Case(String name, byte[] base, byte[] target) {}

    /// Random ones, and those in which a search goes wrong easily.
    private static List<Case> cases(int seeds) {
        return Stream.concat(
                Stream.iterate(0, seed -> seed + 1).limit(seeds).map(seed -> {
                    var random = new SplittableRandom(seed);
                    byte[] base = Deltas.content(random, random.nextInt(0, 300_000));
                    return new Case("seed " + seed, base, Deltas.edited(random, base));
                }),
                Stream.of(
                        new Case("zeros", new byte[100_000], new byte[300_001]),
                        new Case("nothing in common", Deltas.content(new SplittableRandom(1), 50_000), Deltas.content(new SplittableRandom(2), 2_500_000)),
                        new Case("a period of 7", periodic(7, 60_000), periodic(7, 99_999)),
                        new Case("a period of 16", periodic(16, 60_000), periodic(16, 99_999)),
                        new Case("short of a block", "abc".getBytes(), "abcabcabcabcabcabcabcabcabcabc".getBytes()),
                        new Case("an empty base", new byte[0], "new".getBytes()),
                        new Case("an empty target", "old".getBytes(), new byte[0]))).toList();
    }

    private static byte[] periodic(int period, int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) bytes[i] = (byte) (i % period * 31);
        return bytes;
    }

    @Test
    void rdiffAppliesWhatWeWrite() throws Exception {
        for (Case each : cases(15)) {
            Path base = Files.write(folder.resolve("base"), each.base);
            Path delta = Files.write(folder.resolve("delta"), Deltas.make(each.base, each.target));
            Path out = folder.resolve("out");
            rdiff("--force", "patch", base.toString(), delta.toString(), out.toString());
            assertArrayEquals(each.target, Files.readAllBytes(out), each.name);
        }
    }

    @Test
    void weApplyWhatRdiffWrites() throws Exception {
        for (Case each : cases(3)) {
            Path base = Files.write(folder.resolve("base"), each.base);
            Path target = Files.write(folder.resolve("target"), each.target);
            for (List<String> hash : List.of(List.of("-H", "blake2", "-S", "32"), List.of("-H", "blake2", "-S", "8"), List.of("-H", "md4", "-S", "16"),
                    List.of("-R", "rollsum", "-H", "md4", "-S", "8"))) {
                for (String block : List.of("16", "512", "1000", "65536")) {
                    byte[] delta = deltaByRdiff(base, target, hash, block);
                    assertArrayEquals(each.target, Deltas.apply(delta, each.base), each.name + ", " + hash + ", blocks of " + block);
                }
            }
        }
    }

    private static byte[] deltaByRdiff(Path base, Path target, List<String> hash, String block) throws Exception {
        Path signature = folder.resolve("signature");
        Path delta = folder.resolve("delta");
        rdiff(Stream.concat(hash.stream(), Stream.of("-b", block, "--force", "signature", base.toString(), signature.toString())).toArray(String[]::new));
        rdiff("--force", "delta", signature.toString(), target.toString(), delta.toString());
        return Files.readAllBytes(delta);
    }

    private static void rdiff(String... arguments) throws IOException, InterruptedException {
        Process rdiff = new ProcessBuilder(Stream.concat(Stream.of("/usr/bin/rdiff"), Stream.of(arguments)).toList()).redirectErrorStream(true).start();
        String said = new String(rdiff.getInputStream().readAllBytes());
        assertEquals(0, rdiff.waitFor(), () -> String.join(" ", arguments) + ": " + said);
    }
}
