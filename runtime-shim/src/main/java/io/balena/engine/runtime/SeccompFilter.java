package io.balena.engine.runtime;

import io.balena.engine.runtime.SyscallNumbers.Architecture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/// The `seccomp` object of a spec as a classic BPF program.
///
/// For each architecture the space of call numbers is cut into ranges that are treated alike, and a tree of comparisons finds the
/// range: about seven steps for Docker's default profile, where a list of its calls would take three hundred.
///
/// ```
///   arch == x86-64 ? ── nr >= 160 ? ── nr >= 40 ? ── … ── return ALLOW
///   arch == x86    ? ──                                └─ load args[0]; == 0x20000 ? … return ERRNO(1)
///   return KILL
/// ```
///
/// @param code `struct sock_filter` after `struct sock_filter`
/// @param flags of seccomp(2)
/// @see <a href="https://docs.kernel.org/userspace-api/seccomp_filter.html">Seccomp BPF</a>
record SeccompFilter(byte[] code, long flags) {
    private static final int EPERM = 1;
    private static final int ENOSYS = 38;

    private static final int KILL_THREAD = 0;
    private static final int KILL_PROCESS = 0x80000000;
    private static final int TRAP = 0x00030000;
    private static final int ERRNO = 0x00050000;
    private static final int TRACE = 0x7ff00000;
    private static final int LOG = 0x7ffc0000;
    private static final int ALLOW = 0x7fff0000;

    private static final int FLAG_TSYNC = 1;
    private static final int FLAG_LOG = 2;
    private static final int FLAG_SPEC_ALLOW = 4;

    // struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }
    private static final int NUMBER = 0;
    private static final int ARCHITECTURE = 4;
    private static final int ARGUMENTS = 16;

    private static final int LD_W_ABS = 0x20;
    private static final int AND_K = 0x54;
    private static final int JA = 0x05;
    private static final int JEQ_K = 0x15;
    private static final int JGT_K = 0x25;
    private static final int JGE_K = 0x35;
    private static final int RET_K = 0x06;

    /// BPF_MAXINSNS: the kernel accepts no more.
    private static final int MAX_INSTRUCTIONS = 4096;

    private static final Map<RuntimeSpec.Seccomp, SeccompFilter> COMPILED = new ConcurrentHashMap<>();
    private static final int MOST_COMPILED = 32;

    /// @throws ContainerFailure for actions, operators or numbers that do not exist
    static SeccompFilter of(RuntimeSpec.Seccomp seccomp) throws ContainerFailure {
        SeccompFilter known = COMPILED.get(seccomp);
        if (known != null) return known;
        var filter = new Compiler(seccomp, SyscallNumbers.load()).compile();
        if (COMPILED.size() >= MOST_COMPILED) COMPILED.clear();
        COMPILED.put(seccomp, filter);
        return filter;
    }

    /// What is done with one call: the first rule whose conditions hold, else `otherwise`.
    private record Treatment(List<Conditional> rules, int otherwise) {}

    private record Conditional(List<RuntimeSpec.ArgumentCondition> conditions, int action) {}

    /// Calls from this number on, up to the next range.
    private record Range(int from, Treatment treatment) {}

    private static final class Compiler {
        private final RuntimeSpec.Seccomp seccomp;
        private final SyscallNumbers numbers;
        private final int defaultAction;

        Compiler(RuntimeSpec.Seccomp seccomp, SyscallNumbers numbers) throws ContainerFailure {
            this.seccomp = seccomp;
            this.numbers = numbers;
            this.defaultAction = action(seccomp.defaultAction(), seccomp.defaultErrnoRet());
        }

        SeccompFilter compile() throws ContainerFailure {
            Set<Architecture> architectures = new LinkedHashSet<>();
            architectures.add(Architecture.ofThisMachine());
            for (String name : seccomp.architectures()) {
                var architecture = Architecture.of(name);
                if (architecture != null) architectures.add(architecture);
            }
            // x32 is found by the number of the call, not by the architecture.
            Map<Integer, List<Range>> byAudit = new HashMap<>();
            Set<Integer> order = new LinkedHashSet<>();
            for (var architecture : architectures) {
                order.add(architecture.audit);
                if (architecture == Architecture.X32) continue;
                List<Range> ranges = ranges(architecture);
                if (architecture == Architecture.X86_64) {
                    ranges = before(ranges, Architecture.X32_BIT);
                    if (architectures.contains(Architecture.X32)) {
                        ranges.addAll(from(ranges(Architecture.X32), Architecture.X32_BIT));
                    } else {
                        ranges.add(new Range(Architecture.X32_BIT, new Treatment(List.of(), KILL_THREAD)));
                    }
                }
                byAudit.put(architecture.audit, ranges);
            }
            var code = new Code();
            code.add(LD_W_ABS, ARCHITECTURE);
            for (int audit : order) {
                List<Range> ranges = byAudit.get(audit);
                if (ranges == null) continue;
                boolean is32Bit = (audit & 0x80000000) == 0;
                var block = new Code();
                block.add(LD_W_ABS, NUMBER);
                block.append(tree(ranges, 0, ranges.size(), is32Bit));
                code.add(JEQ_K, audit, 1, 0);
                code.add(JA, block.length());
                code.append(block);
            }
            code.add(RET_K, KILL_THREAD);
            if (code.length() > MAX_INSTRUCTIONS) throw invalid("the filter is too long: " + code.length() + " instructions");
            return new SeccompFilter(code.bytes(), flags());
        }

        private long flags() throws ContainerFailure {
            // Without this flag the kernel slows the process down by a mitigation that Docker's containers have never had.
            if (seccomp.flags().isEmpty()) return FLAG_SPEC_ALLOW;
            long flags = 0;
            for (String flag : seccomp.flags()) {
                flags |= switch (flag) {
                    case "SECCOMP_FILTER_FLAG_TSYNC" -> FLAG_TSYNC;
                    case "SECCOMP_FILTER_FLAG_LOG" -> FLAG_LOG;
                    case "SECCOMP_FILTER_FLAG_SPEC_ALLOW" -> FLAG_SPEC_ALLOW;
                    default -> throw invalid("flags \"" + flag + "\" are not supported");
                };
            }
            return flags;
        }

        private List<Range> ranges(Architecture architecture) throws ContainerFailure {
            TreeMap<Integer, Treatment> calls = new TreeMap<>();
            int highest = -1;
            for (var rule : seccomp.syscalls()) {
                int action = action(rule.action(), rule.errnoRet());
                for (String name : rule.names()) {
                    int number = numbers.of(name, architecture);
                    // Calls this architecture or this table does not have cannot be told from others that do not exist.
                    if (number < 0) continue;
                    highest = Math.max(highest, number);
                    if (action == defaultAction) continue;
                    calls.merge(number, treatment(rule, action), Compiler::both);
                }
            }
            List<Range> ranges = new ArrayList<>();
            var byDefault = new Treatment(List.of(), defaultAction);
            int first = architecture == Architecture.X32 ? Architecture.X32_BIT : 0;
            int next = first;
            for (var call : calls.entrySet()) {
                if (call.getKey() > next) add(ranges, next, byDefault);
                add(ranges, call.getKey(), call.getValue());
                next = call.getKey() + 1;
            }
            // What is newer than the profile must look as on an older kernel, or programs take the refusal for the last word.
            if (highest >= next) add(ranges, next, byDefault);
            boolean permissive = defaultAction == ALLOW || defaultAction == LOG;
            add(ranges, Math.max(highest + 1, next), permissive ? byDefault : new Treatment(List.of(), ERRNO | ENOSYS));
            return ranges;
        }

        private Treatment treatment(RuntimeSpec.SyscallRule rule, int action) {
            if (rule.args().isEmpty()) return new Treatment(List.of(), action);
            if (!namesAnArgumentTwice(rule.args())) {
                return new Treatment(List.of(new Conditional(rule.args(), action)), defaultAction);
            }
            // Then, as with runc, it is enough that one condition holds.
            List<Conditional> rules = new ArrayList<>();
            for (var condition : rule.args()) rules.add(new Conditional(List.of(condition), action));
            return new Treatment(rules, defaultAction);
        }

        private static boolean namesAnArgumentTwice(List<RuntimeSpec.ArgumentCondition> conditions) {
            int seen = 0;
            for (var condition : conditions) {
                if ((seen & 1 << condition.index()) != 0) return true;
                seen |= 1 << condition.index();
            }
            return false;
        }

        /// Conditions are looked at before a rule for the same call without any.
        private static Treatment both(Treatment first, Treatment second) {
            List<Conditional> rules = new ArrayList<>(first.rules());
            rules.addAll(second.rules());
            boolean firstPlain = first.rules().isEmpty();
            boolean secondPlain = second.rules().isEmpty();
            int otherwise = firstPlain || !secondPlain ? first.otherwise() : second.otherwise();
            return new Treatment(rules, otherwise);
        }

        private static void add(List<Range> ranges, int from, Treatment treatment) {
            if (!ranges.isEmpty() && ranges.getLast().treatment().equals(treatment)) return;
            ranges.add(new Range(from, treatment));
        }

        private static List<Range> before(List<Range> ranges, int end) {
            List<Range> cut = new ArrayList<>();
            for (var range : ranges) {
                if (range.from() < end) cut.add(range);
            }
            return cut;
        }

        private static List<Range> from(List<Range> ranges, int start) {
            List<Range> cut = new ArrayList<>();
            for (var range : ranges) {
                if (range.from() >= start) cut.add(range);
            }
            return cut;
        }

        private Code tree(List<Range> ranges, int from, int to, boolean is32Bit) throws ContainerFailure {
            if (to - from == 1) return leaf(ranges.get(from).treatment(), is32Bit);
            int middle = (from + to) >>> 1;
            var low = tree(ranges, from, middle, is32Bit);
            var high = tree(ranges, middle, to, is32Bit);
            var code = new Code();
            if (low.length() <= 255) {
                code.add(JGE_K, ranges.get(middle).from(), low.length(), 0);
            } else {
                code.add(JGE_K, ranges.get(middle).from(), 0, 1);
                code.add(JA, low.length());
            }
            code.append(low);
            code.append(high);
            return code;
        }

        private Code leaf(Treatment treatment, boolean is32Bit) throws ContainerFailure {
            var code = new Code();
            for (var rule : treatment.rules()) {
                var block = new Code();
                for (var condition : rule.conditions()) addCondition(block, condition, is32Bit);
                block.add(RET_K, rule.action());
                block.resolveFailures();
                code.append(block);
            }
            code.add(RET_K, treatment.otherwise());
            return code;
        }

        private static void addCondition(Code code, RuntimeSpec.ArgumentCondition condition, boolean is32Bit)
                throws ContainerFailure {
            if (condition.index() < 0 || condition.index() > 5) throw invalid("invalid argument index " + condition.index());
            int low = ARGUMENTS + 8 * condition.index();
            int lowValue = (int) condition.value();
            int highValue = (int) (condition.value() >>> 32);
            int high = low + 4;
            boolean whole = !is32Bit;
            switch (condition.op()) {
                case "SCMP_CMP_EQ" -> {
                    if (whole) {
                        code.add(LD_W_ABS, high);
                        code.add(JEQ_K, highValue, 0, Code.FAIL);
                    }
                    code.add(LD_W_ABS, low);
                    code.add(JEQ_K, lowValue, 0, Code.FAIL);
                }
                case "SCMP_CMP_NE" -> {
                    if (whole) {
                        code.add(LD_W_ABS, high);
                        code.add(JEQ_K, highValue, 0, 2);
                    }
                    code.add(LD_W_ABS, low);
                    code.add(JEQ_K, lowValue, Code.FAIL, 0);
                }
                case "SCMP_CMP_GT", "SCMP_CMP_GE" -> {
                    if (whole) {
                        code.add(LD_W_ABS, high);
                        code.add(JGT_K, highValue, 3, 0);
                        code.add(JEQ_K, highValue, 0, Code.FAIL);
                    }
                    code.add(LD_W_ABS, low);
                    code.add(condition.op().equals("SCMP_CMP_GT") ? JGT_K : JGE_K, lowValue, 0, Code.FAIL);
                }
                case "SCMP_CMP_LT", "SCMP_CMP_LE" -> {
                    if (whole) {
                        code.add(LD_W_ABS, high);
                        code.add(JGT_K, highValue, Code.FAIL, 0);
                        code.add(JEQ_K, highValue, 0, 2);
                    }
                    code.add(LD_W_ABS, low);
                    code.add(condition.op().equals("SCMP_CMP_LT") ? JGE_K : JGT_K, lowValue, Code.FAIL, 0);
                }
                case "SCMP_CMP_MASKED_EQ" -> {
                    if (whole) {
                        code.add(LD_W_ABS, high);
                        code.add(AND_K, highValue);
                        code.add(JEQ_K, (int) (condition.valueTwo() >>> 32), 0, Code.FAIL);
                    }
                    code.add(LD_W_ABS, low);
                    code.add(AND_K, lowValue);
                    code.add(JEQ_K, (int) condition.valueTwo(), 0, Code.FAIL);
                }
                case null, default -> throw invalid("string " + condition.op() + " is not a valid operator for seccomp");
            }
        }
    }

    private static int action(String name, Integer errno) throws ContainerFailure {
        int data = (errno == null ? EPERM : errno) & 0xffff;
        return switch (name) {
            case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD" -> KILL_THREAD;
            case "SCMP_ACT_KILL_PROCESS" -> KILL_PROCESS;
            case "SCMP_ACT_TRAP" -> TRAP;
            case "SCMP_ACT_ERRNO" -> ERRNO | data;
            case "SCMP_ACT_TRACE" -> TRACE | data;
            case "SCMP_ACT_LOG" -> LOG;
            case "SCMP_ACT_ALLOW" -> ALLOW;
            case null, default -> throw invalid("string " + name + " is not a valid action for seccomp");
        };
    }

    private static ContainerFailure invalid(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, "seccomp: " + message);
    }

    /// Instructions: `{ __u16 code; __u8 jt; __u8 jf; __u32 k; }`
    private static final class Code {
        /// A jump to the end of the block, put right by [#resolveFailures].
        static final int FAIL = -1;

        private int[] instructions = new int[64];
        private int length;

        int length() {
            return length;
        }

        void add(int code, int k) {
            add(code, k, 0, 0);
        }

        void add(int code, int k, int ifTrue, int ifFalse) {
            if (length * 4 + 4 > instructions.length) instructions = Arrays.copyOf(instructions, instructions.length * 2);
            int at = length++ * 4;
            instructions[at] = code;
            instructions[at + 1] = ifTrue;
            instructions[at + 2] = ifFalse;
            instructions[at + 3] = k;
        }

        void append(Code other) {
            for (int i = 0; i < other.length; i++) {
                int at = i * 4;
                int[] from = other.instructions;
                add(from[at], from[at + 3], from[at + 1], from[at + 2]);
            }
        }

        /// Six conditions are at most 36 instructions, so no jump is longer than its byte.
        void resolveFailures() {
            for (int i = 0; i < length; i++) {
                int toEnd = length - i - 1;
                if (instructions[i * 4 + 1] == FAIL) instructions[i * 4 + 1] = toEnd;
                if (instructions[i * 4 + 2] == FAIL) instructions[i * 4 + 2] = toEnd;
            }
        }

        byte[] bytes() {
            byte[] bytes = new byte[length * 8];
            for (int i = 0; i < length; i++) {
                int at = i * 4;
                bytes[i * 8] = (byte) instructions[at];
                bytes[i * 8 + 2] = (byte) instructions[at + 1];
                bytes[i * 8 + 3] = (byte) instructions[at + 2];
                for (int b = 0; b < 4; b++) bytes[i * 8 + 4 + b] = (byte) (instructions[at + 3] >> 8 * b);
            }
            return bytes;
        }
    }
}
