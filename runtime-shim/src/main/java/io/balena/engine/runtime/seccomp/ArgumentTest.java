package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// A condition on one argument of a system call.
///
/// @param index 0 to 5
/// @param mask the bits that are looked at
/// @param value unsigned; within `mask`
record ArgumentTest(int index, Comparison comparison, long mask, long value) {
    enum Comparison { EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL }

    // struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }
    private static final int ARGUMENTS = 16;

    static ArgumentTest equal(int index, long mask, long value) {
        return new ArgumentTest(index, Comparison.EQUAL, mask, value & mask);
    }

    /// The conditions of one rule, in the order of the arguments.
    ///
    /// @param call the rule's, for messages
    /// @throws ContainerFailure with runc's words
    static List<ArgumentTest> of(List<RuntimeSpec.ArgumentCondition> conditions, String call) throws ContainerFailure {
        List<ArgumentTest> tests = new ArrayList<>();
        for (var condition : conditions) tests.add(of(condition));
        for (var test : tests) {
            if (test.index < 0 || test.index > 5) {
                throw SeccompFilter.invalid("error creating seccomp syscall condition for syscall " + call
                        + ": syscalls only have up to 6 arguments (" + Integer.toUnsignedString(test.index) + " given)");
            }
        }
        tests.sort(Comparator.comparingInt(ArgumentTest::index));
        return tests;
    }

    private static ArgumentTest of(RuntimeSpec.ArgumentCondition condition) throws ContainerFailure {
        int index = condition.index();
        long value = condition.value();
        return switch (condition.op()) {
            case "SCMP_CMP_EQ" -> equal(index, -1, value);
            case "SCMP_CMP_NE" -> new ArgumentTest(index, Comparison.NOT_EQUAL, -1, value);
            case "SCMP_CMP_LT" -> new ArgumentTest(index, Comparison.LESS, -1, value);
            case "SCMP_CMP_LE" -> new ArgumentTest(index, Comparison.LESS_OR_EQUAL, -1, value);
            case "SCMP_CMP_GT" -> new ArgumentTest(index, Comparison.GREATER, -1, value);
            case "SCMP_CMP_GE" -> new ArgumentTest(index, Comparison.GREATER_OR_EQUAL, -1, value);
            case "SCMP_CMP_MASKED_EQ" -> equal(index, value, condition.valueTwo());
            case null -> throw SeccompFilter.invalid("string  is not a valid operator for seccomp");
            default -> throw SeccompFilter.invalid("string " + condition.op() + " is not a valid operator for seccomp");
        };
    }

    /// Adds instructions that go on behind themselves when the condition holds, and to [BpfCode#FAIL] when it does not.
    void addTo(BpfCode code, Architecture architecture) {
        int low = ARGUMENTS + 8 * index;
        int lowMask = (int) mask;
        int lowValue = (int) value;
        if (!architecture.lowHalf) addHighHalf(code, low + 4, (int) (mask >>> 32), (int) (value >>> 32));
        code.load(low);
        if (lowMask != -1) code.and(lowMask);
        switch (comparison) {
            case EQUAL -> code.ifEqual(lowValue, 0, BpfCode.FAIL);
            case NOT_EQUAL -> code.ifEqual(lowValue, BpfCode.FAIL, 0);
            case GREATER -> code.ifGreater(lowValue, 0, BpfCode.FAIL);
            case GREATER_OR_EQUAL -> code.ifAtLeast(lowValue, 0, BpfCode.FAIL);
            case LESS -> code.ifAtLeast(lowValue, BpfCode.FAIL, 0);
            case LESS_OR_EQUAL -> code.ifGreater(lowValue, BpfCode.FAIL, 0);
        }
    }

    /// Where this half does not decide, the load of the lower half follows; where it does, jumps pass over that and its comparison.
    private void addHighHalf(BpfCode code, int offset, int highMask, int highValue) {
        if (highMask == 0) return;
        code.load(offset);
        if (highMask != -1) code.and(highMask);
        switch (comparison) {
            case EQUAL -> code.ifEqual(highValue, 0, BpfCode.FAIL);
            case NOT_EQUAL -> code.ifEqual(highValue, 0, 2);
            case GREATER, GREATER_OR_EQUAL -> {
                code.ifGreater(highValue, 3, 0);
                code.ifEqual(highValue, 0, BpfCode.FAIL);
            }
            case LESS, LESS_OR_EQUAL -> {
                code.ifGreater(highValue, BpfCode.FAIL, 0);
                code.ifEqual(highValue, 0, 2);
            }
        }
    }
}
