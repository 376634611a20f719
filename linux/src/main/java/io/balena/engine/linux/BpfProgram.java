package io.balena.engine.linux;

import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Programs that the kernel runs on our behalf.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/bpf.2.html">bpf(2)</a>
public final class BpfProgram {
    private static final int PROG_LOAD = 5;
    private static final int PROG_ATTACH = 8;
    private static final int PROG_TYPE_CGROUP_DEVICE = 15;
    private static final int ATTACH_CGROUP_DEVICE = 6;
    private static final int ALLOW_MULTI = 2;
    private static final int ATTRIBUTES_BYTES = 64;

    private BpfProgram() {}

    /// Lets `instructions` decide which devices the members of a cgroup of version 2 may use. It stays until the cgroup is removed.
    ///
    /// @param instructions `struct bpf_insn` each
    /// @throws ErrnoException `EINVAL` when the kernel cannot prove the program harmless
    public static void attachDeviceFilter(long[] instructions, Path cgroup) throws ErrnoException {
        try (Fd program = load(instructions); Fd folder = Fd.open(cgroup, OpenFlags.DIRECTORY);
                var memory = NativeMemory.zeroed(ATTRIBUTES_BYTES)) {
            // { __u32 target_fd, attach_bpf_fd, attach_type, attach_flags; }
            Pointer attributes = memory.pointer();
            attributes.setInt(0, folder.number());
            attributes.setInt(4, program.number());
            attributes.setInt(8, ATTACH_CGROUP_DEVICE);
            attributes.setInt(12, ALLOW_MULTI);
            Libc.check(call(PROG_ATTACH, memory), "bpf(BPF_PROG_ATTACH)", cgroup);
        }
    }

    private static Fd load(long[] instructions) throws ErrnoException {
        try (var code = new NativeMemory(instructions.length * 8);
                var license = new NativeMemory(8);
                var memory = NativeMemory.zeroed(ATTRIBUTES_BYTES)) {
            code.pointer().write(0, instructions, 0, instructions.length);
            byte[] name = "Apache\0".getBytes(StandardCharsets.US_ASCII);
            license.pointer().write(0, name, 0, name.length);
            // { __u32 prog_type, insn_cnt; __u64 insns, license; … }
            Pointer attributes = memory.pointer();
            attributes.setInt(0, PROG_TYPE_CGROUP_DEVICE);
            attributes.setInt(4, instructions.length);
            attributes.setLong(8, code.address());
            attributes.setLong(16, license.address());
            return new Fd(Libc.check(call(PROG_LOAD, memory), "bpf(BPF_PROG_LOAD)", "device filter"));
        }
    }

    private static int call(int command, NativeMemory attributes) {
        return Libc.call(Syscall.BPF, command, attributes.address(), ATTRIBUTES_BYTES, 0);
    }
}
