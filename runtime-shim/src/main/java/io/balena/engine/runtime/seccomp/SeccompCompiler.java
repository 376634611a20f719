package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.seccomp.CallRules.Range;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Writes the program of a filter.
///
/// For each architecture the space of call numbers is cut into ranges that are treated alike, and a tree of comparisons finds the
/// range: about seven steps for Docker's default profile, where a list of its calls would take three hundred.
///
/// ```
///   arch == x86-64 ? ── nr >= 160 ? ── nr >= 40 ? ── … ── return ALLOW
///   arch == x86    ? ──                                └─ load args[0]; == 0x20000 ? … return ERRNO(1)
///   return KILL
/// ```
final class SeccompCompiler {
    // struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }
    private static final int NUMBER = 0;
    private static final int ARCHITECTURE = 4;

    /// BPF_MAXINSNS: the kernel accepts no more.
    private static final int MAX_INSTRUCTIONS = 4096;

    private final CallRules rules;
    private final Set<Architecture> architectures = new LinkedHashSet<>();

    /// @throws ContainerFailure with runc's words for what does not exist
    SeccompCompiler(RuntimeSpec.Seccomp seccomp, SyscallNumbers numbers) throws ContainerFailure {
        architectures.add(Architecture.ofThisMachine());
        for (String name : seccomp.architectures()) {
            var architecture = Architecture.of(name);
            if (architecture != null) architectures.add(architecture);
        }
        // Its calls bear the audit number of the other, and are told by their own numbers.
        if (architectures.remove(Architecture.X32)) {
            architectures.add(Architecture.X86_64);
            architectures.add(Architecture.X32);
        }
        rules = new CallRules(seccomp, numbers);
    }

    /// @throws ContainerFailure when rules contradict each other, or are too many
    byte[] compile() throws ContainerFailure {
        var code = new BpfCode();
        code.load(ARCHITECTURE);
        for (var architecture : architectures) {
            if (architecture == Architecture.X32) continue;
            var block = new BpfCode();
            block.load(NUMBER);
            block.append(block(architecture));
            code.ifEqual(architecture.audit, 1, 0);
            code.jump(block.length());
            code.append(block);
        }
        code.result(SeccompAction.KILL_THREAD);
        if (code.length() > MAX_INSTRUCTIONS) {
            throw SeccompFilter.invalid("error loading seccomp filter into kernel: " + code.length() + " instructions are too many");
        }
        return code.bytes();
    }

    private BpfCode block(Architecture architecture) throws ContainerFailure {
        List<Range> ranges = rules.ranges(architecture);
        var below = tree(ranges, 0, ranges.size(), architecture);
        if (architecture != Architecture.X86_64) return below;
        var code = new BpfCode();
        code.choose(Architecture.X32_BIT, below, aboveX32Bit(ranges.getLast()));
        return code;
    }

    /// @param last what is done with the native calls of the highest numbers
    private BpfCode aboveX32Bit(Range last) throws ContainerFailure {
        if (architectures.contains(Architecture.X32)) {
            List<Range> ranges = rules.ranges(Architecture.X32);
            return tree(ranges, 0, ranges.size(), Architecture.X32);
        }
        var code = new BpfCode();
        // A tracer sets -1 for a call that is to be passed over; that is no call of x32's.
        code.ifEqual(-1, 1, 0);
        code.result(SeccompAction.KILL_THREAD);
        code.result(last.treatment().otherwise());
        return code;
    }

    private static BpfCode tree(List<Range> ranges, int from, int to, Architecture architecture) {
        if (to - from == 1) return leaf(ranges.get(from).treatment(), architecture);
        int middle = (from + to) >>> 1;
        var code = new BpfCode();
        code.choose(ranges.get(middle).from(), tree(ranges, from, middle, architecture), tree(ranges, middle, to, architecture));
        return code;
    }

    private static BpfCode leaf(CallTreatment treatment, Architecture architecture) {
        var code = new BpfCode();
        for (var each : treatment.cases()) {
            int start = code.length();
            for (var test : each.tests()) test.addTo(code, architecture);
            code.result(each.action());
            code.endBlock(start);
        }
        code.result(treatment.otherwise());
        return code;
    }
}
