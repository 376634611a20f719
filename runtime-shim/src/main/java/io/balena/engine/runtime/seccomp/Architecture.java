package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import java.util.Set;

/// An architecture a seccomp filter can be written for.
///
/// @see <a href="https://github.com/torvalds/linux/blob/master/include/uapi/linux/audit.h">linux/audit.h</a>
enum Architecture {
    X86(0x40000003, true),
    X86_64(0xC000003E, false),
    /// Shares its audit number with x86-64; its system calls carry [#X32_BIT].
    X32(0xC000003E, true),
    ARM(0x40000028, true),
    AARCH64(0xC00000B7, false);

    static final int X32_BIT = 0x40000000;

    /// What profiles may name and no machine of ours executes.
    private static final Set<String> ELSEWHERE = Set.of(
            "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
            "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X",
            "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
            "SCMP_ARCH_SH", "SCMP_ARCH_SHEB");

    /// As in `struct seccomp_data`.
    final int audit;
    /// Whether conditions look at the lower half of an argument alone; with x32 too, as libseccomp has it.
    final boolean lowHalf;

    Architecture(int audit, boolean lowHalf) {
        this.audit = audit;
        this.lowHalf = lowHalf;
    }

    /// @param name e.g. `SCMP_ARCH_X86_64`
    /// @return null for one that no machine of ours has
    /// @throws ContainerFailure when there is none of this name
    static Architecture of(String name) throws ContainerFailure {
        return switch (name) {
            case "SCMP_ARCH_X86" -> X86;
            case "SCMP_ARCH_X86_64" -> X86_64;
            case "SCMP_ARCH_X32" -> X32;
            case "SCMP_ARCH_ARM" -> ARM;
            case "SCMP_ARCH_AARCH64" -> AARCH64;
            default -> {
                if (ELSEWHERE.contains(name)) yield null;
                throw SeccompFilter.invalid("string " + name + " is not a valid arch for seccomp");
            }
        };
    }

    static Architecture ofThisMachine() {
        return switch (System.getProperty("os.arch")) {
            case "aarch64" -> AARCH64;
            case "arm" -> ARM;
            default -> X86_64;
        };
    }
}
