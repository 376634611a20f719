package io.balena.engine.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Coverage-guided fuzzing of all that reads what others wrote: `./test --long FuzzIT`, `-Dfuzz.seconds=…` for each target, `-Dfuzz.target=…` for one.
///
/// Jazzer runs in a process of its own, with little memory. What it found of use stays in `target/fuzz`, and is where it goes on.
@Tag("long")
class FuzzIT {
    private static final int SECONDS = Integer.getInteger("fuzz.seconds", 100);
    private static final String ONLY = System.getProperty("fuzz.target", "");
    private static final int LARGEST_INPUT = 8 << 10;

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource
    void nothingThatAFuzzerMakesBreaksIt(FuzzTarget target) throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(ONLY.isEmpty() || ONLY.equals(target.name()), "another target was asked for");
        Path seeds = Files.createDirectory(folder.resolve("seeds"));
        for (Map.Entry<String, byte[]> input : target.corpus().entrySet()) Files.write(seeds.resolve(input.getKey()), input.getValue());
        Path results = Path.of("target", "fuzz").toAbsolutePath();
        Path found = Files.createDirectories(results.resolve(target.name()));
        Path log = results.resolve(target.name() + ".log");
        List<String> command = List.of("nice", "-n", "19", Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-XX:+EnableDynamicAgentLoading",
                "-cp", OlderClasses.classPath(folder.resolve("classes")),
                "com.code_intelligence.jazzer.Jazzer", "--target_class=" + target.type.getName(),
                "--instrumentation_includes=io.balena.engine.**", "--reproducer_path=" + results,
                "-artifact_prefix=" + results + "/" + target.name() + "-", "-max_total_time=" + SECONDS, "-max_len=" + LARGEST_INPUT,
                "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", found.toString(), seeds.toString());
        int status = run(command, log);
        String report = Files.readString(log, UTF_8);
        assertEquals(0, status, () -> report.substring(Math.max(0, report.length() - 6000)));
        report.lines().filter(line -> line.contains("DONE") || line.startsWith("stat::number_of_executed_units"))
                .forEach(line -> System.out.println(target + " " + line));
    }

    private static int run(List<String> command, Path log) throws IOException, InterruptedException {
        Process fuzzer = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
        try {
            return fuzzer.waitFor();
        } finally {
            fuzzer.destroy();
        }
    }
}
