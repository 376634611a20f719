package io.balena.engine.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.ToLongFunction;

/// How long the runtime takes to run the bundle's program, step by step.
///
/// A program of its own rather than a JMH benchmark, because it is also run with `-Xint` and C1, as the shim is:
/// `java -Xint -cp … io.balena.engine.benchmarks.RuntimeBenchmark <bundle> <state root> <rounds>`. The bundle's `cgroupsPath`
/// is used as it is; runs follow each other.
public final class RuntimeBenchmark {
    private RuntimeBenchmark() {}

    public static void main(String[] args) throws IOException {
        Path bundle = Path.of(args[0]);
        int rounds = Integer.parseInt(args[2]);
        var steps = new RuntimeProbe.Steps[rounds];
        long begin = System.nanoTime();
        try (var probe = new RuntimeProbe(Path.of(args[1]), bundle)) {
            var first = probe.run();
            System.out.printf("opening and first run: %.2f ms%n", (System.nanoTime() - begin) / 1e6);
            System.out.printf("first run:             %.2f ms%n", first.untilEnded() / 1e6);
            for (int i = 0; i < rounds; i++) steps[i] = probe.run();
        }
        print("create", steps, RuntimeProbe.Steps::create);
        print("start", steps, RuntimeProbe.Steps::start);
        print("until its end", steps, RuntimeProbe.Steps::end);
        print("create+start+end", steps, RuntimeProbe.Steps::untilEnded);
        print("delete", steps, RuntimeProbe.Steps::delete);
    }

    private static void print(String name, RuntimeProbe.Steps[] steps, ToLongFunction<RuntimeProbe.Steps> step) {
        long[] sorted = Arrays.stream(steps).mapToLong(step).sorted().toArray();
        System.out.printf(
                "%-22s median %6.2f ms, best %6.2f ms, 95%% %6.2f ms%n",
                name, sorted[sorted.length / 2] / 1e6, sorted[0] / 1e6, sorted[sorted.length * 95 / 100] / 1e6);
    }
}
