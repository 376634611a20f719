package io.balena.engine.fuzz;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The small part of [FuzzIT] that runs with all other tests: the kept inputs, and some thousand that are made of them, always the
/// same.
class FuzzCorpusIT {
    private static final int DERIVED = 3000;

    @ParameterizedTest
    @EnumSource
    void keptInputsAndWhatIsMadeOfThemBreakNothing(FuzzTarget target) throws Throwable {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        var inputs = new ArrayList<>(target.corpus().values());
        assertFalse(inputs.isEmpty());
        target.initialize();
        target.run(new byte[0]);
        for (byte[] input : inputs) check(target, input);
        var random = new Random(20261122);
        for (int i = 0; i < DERIVED; i++) check(target, derived(inputs, random));
    }

    private static void check(FuzzTarget target, byte[] input) throws Throwable {
        try {
            target.run(input);
        } catch (Throwable t) {
            t.addSuppressed(new AssertionError("on " + Base64.getEncoder().encodeToString(input)));
            throw t;
        }
    }

    /// One input with a few bytes changed, and maybe the end of another.
    private static byte[] derived(List<byte[]> inputs, Random random) {
        byte[] input = inputs.get(random.nextInt(inputs.size())).clone();
        if (random.nextInt(3) == 0) input = joined(input, inputs.get(random.nextInt(inputs.size())), random);
        for (int changes = random.nextInt(6); changes > 0 && input.length > 0; changes--) {
            int at = random.nextInt(input.length);
            input[at] = switch (random.nextInt(4)) {
                case 0 -> (byte) random.nextInt(256);
                case 1 -> (byte) (input[at] ^ 1 << random.nextInt(8));
                case 2 -> input[random.nextInt(input.length)];
                default -> (byte) "0179./{}[]\",-:\\ \0".charAt(random.nextInt(17));
            };
        }
        return input;
    }

    private static byte[] joined(byte[] start, byte[] end, Random random) {
        // At a record, where tars can be cut.
        int kept = random.nextInt(start.length / 512 + 1) * 512;
        int from = random.nextInt(end.length / 512 + 1) * 512;
        byte[] both = new byte[kept + end.length - from];
        System.arraycopy(start, 0, both, 0, kept);
        System.arraycopy(end, from, both, kept, end.length - from);
        return both;
    }
}
