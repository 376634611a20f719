package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.BpfProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Device rules of cgroup version 2, which has no files for them but asks a BPF program.
///
/// The rules are tried from the last to the first, since a later one overrides an earlier; a rule that speaks of only some
/// accesses decides only requests that ask for nothing else. What no rule matches is refused.
///
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v2.html#device-controller">cgroup v2, device controller</a>
final class DeviceProgram {
    // struct bpf_cgroup_dev_ctx { __u32 access_type; __u32 major; __u32 minor; }, access_type = access << 16 | type
    private static final int TYPE_BLOCK = 1;
    private static final int TYPE_CHAR = 2;
    private static final int MKNOD = 1;
    private static final int READ = 2;
    private static final int WRITE = 4;

    // Registers: r1 the context, then r2 type, r3 access, r4 major, r5 minor; r0 the answer.
    private static final int LDX_W = 0x61;
    private static final int AND32_K = 0x54;
    private static final int RSH32_K = 0x74;
    private static final int MOV32_X = 0xbc;
    private static final int MOV32_K = 0xb4;
    private static final int JNE_K = 0x55;
    private static final int JNE_X = 0x5d;
    private static final int EXIT = 0x95;

    private final List<Long> code = new ArrayList<>();

    private DeviceProgram() {}

    static void attach(List<RuntimeSpec.DeviceRule> rules, Path cgroup) throws IOException {
        BpfProgram.attachDeviceFilter(compile(rules), cgroup);
    }

    /// @return `struct bpf_insn` after `struct bpf_insn`
    static long[] compile(List<RuntimeSpec.DeviceRule> rules) throws ContainerFailure {
        var program = new DeviceProgram();
        program.add(LDX_W, 2, 1, 0, 0);
        program.add(AND32_K, 2, 0, 0, 0xffff);
        program.add(LDX_W, 3, 1, 0, 0);
        program.add(RSH32_K, 3, 0, 0, 16);
        program.add(LDX_W, 4, 1, 4, 0);
        program.add(LDX_W, 5, 1, 8, 0);
        boolean decided = false;
        for (int i = rules.size() - 1; i >= 0 && !decided; i--) decided = program.addRule(rules.get(i));
        if (!decided) program.answer(false);
        long[] instructions = new long[program.code.size()];
        for (int i = 0; i < instructions.length; i++) instructions[i] = program.code.get(i);
        return instructions;
    }

    /// @return true when the rule matches everything, so that those before it do not matter
    private boolean addRule(RuntimeSpec.DeviceRule rule) throws ContainerFailure {
        var conditions = new DeviceProgram();
        String type = rule.type() == null || rule.type().isEmpty() ? "a" : rule.type();
        switch (type) {
            case "a" -> {}
            case "b" -> conditions.add(JNE_K, 2, 0, FAIL, TYPE_BLOCK);
            case "c" -> conditions.add(JNE_K, 2, 0, FAIL, TYPE_CHAR);
            default -> throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid device type \"" + type + "\"");
        }
        int access = access(rule.access());
        if (access != (READ | WRITE | MKNOD)) {
            // The request is matched when masking it with the rule's accesses leaves it as it is.
            conditions.add(MOV32_X, 0, 3, 0, 0);
            conditions.add(AND32_K, 0, 0, 0, access);
            conditions.add(JNE_X, 0, 3, FAIL, 0);
        }
        if (isNumber(rule.major())) conditions.add(JNE_K, 4, 0, FAIL, rule.major().intValue());
        if (isNumber(rule.minor())) conditions.add(JNE_K, 5, 0, FAIL, rule.minor().intValue());
        boolean always = conditions.code.isEmpty();
        conditions.answer(rule.allow());
        int length = conditions.code.size();
        for (int i = 0; i < length; i++) {
            long instruction = conditions.code.get(i);
            if ((short) (instruction >> 16) == FAIL) {
                instruction = instruction & ~0xffff0000L | (long) (length - i - 1) << 16;
            }
            code.add(instruction);
        }
        return always;
    }

    /// Stands for a jump behind the rule.
    private static final short FAIL = -1;

    private static boolean isNumber(Long number) {
        return number != null && number >= 0;
    }

    private static int access(String access) throws ContainerFailure {
        if (access == null || access.isEmpty()) return READ | WRITE | MKNOD;
        int bits = 0;
        for (int i = 0; i < access.length(); i++) {
            bits |= switch (access.charAt(i)) {
                case 'r' -> READ;
                case 'w' -> WRITE;
                case 'm' -> MKNOD;
                default -> throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid device access \"" + access + "\"");
            };
        }
        return bits;
    }

    private void answer(boolean allow) {
        add(MOV32_K, 0, 0, 0, allow ? 1 : 0);
        add(EXIT, 0, 0, 0, 0);
    }

    /// `struct bpf_insn { __u8 code; __u8 dst:4, src:4; __s16 off; __s32 imm; }`
    private void add(int operation, int destination, int source, int offset, int immediate) {
        code.add(operation | destination << 8 | source << 12 | (offset & 0xffffL) << 16 | (long) immediate << 32);
    }
}
