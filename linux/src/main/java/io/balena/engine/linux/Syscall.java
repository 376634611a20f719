package io.balena.engine.linux;

import com.sun.jna.Platform;

/// System calls by their numbers on each architecture: those a [SyscallProgram] may hold, and those libc may not have.
///
/// Numbers from 424 on are the same everywhere.
public enum Syscall {
    ACCEPT4(288, 242),
    BPF(321, 280),
    CAPSET(126, 91),
    CHDIR(80, 49),
    CLONE(56, 220),
    CLONE3(435, 435),
    CLOSE(3, 57),
    CLOSE_RANGE(436, 436),
    DUP3(292, 24),
    EXECVE(59, 221),
    EXIT_GROUP(231, 94),
    FACCESSAT(269, 48),
    FCHDIR(81, 50),
    FCHMODAT(268, 53),
    FCHOWN(93, 55),
    FCHOWNAT(260, 54),
    FCNTL(72, 25),
    GETPID(39, 172),
    GETPPID(110, 173),
    IOCTL(16, 29),
    KEYCTL(250, 219),
    MKDIRAT(258, 34),
    MKNODAT(259, 33),
    MOUNT(165, 40),
    MOUNT_SETATTR(442, 442),
    MOVE_MOUNT(429, 429),
    MUNMAP(11, 215),
    OPENAT(257, 56),
    OPENAT2(437, 437),
    OPEN_TREE(428, 428),
    PIDFD_GETFD(438, 438),
    PIDFD_OPEN(434, 434),
    PIDFD_SEND_SIGNAL(424, 424),
    PIVOT_ROOT(155, 41),
    PRCTL(157, 167),
    PRLIMIT64(302, 261),
    READ(0, 63),
    RT_SIGACTION(13, 134),
    RT_SIGPROCMASK(14, 135),
    SECCOMP(317, 277),
    SETDOMAINNAME(171, 162),
    SETGROUPS(116, 159),
    SETHOSTNAME(170, 161),
    SETNS(308, 268),
    SETRESGID(119, 149),
    SETRESUID(117, 147),
    SETSID(112, 157),
    SOCKET(41, 198),
    SYMLINKAT(266, 36),
    UMASK(95, 166),
    UMOUNT2(166, 39),
    UNLINKAT(263, 35),
    UNSHARE(272, 97),
    WRITE(1, 64);

    private static final boolean AARCH64 = Platform.isARM();

    private final int x86_64;
    private final int aarch64;

    Syscall(int x86_64, int aarch64) {
        this.x86_64 = x86_64;
        this.aarch64 = aarch64;
    }

    /// On the architecture we run on.
    int number() {
        return AARCH64 ? aarch64 : x86_64;
    }

    int onX86_64() {
        return x86_64;
    }

    int onAarch64() {
        return aarch64;
    }
}
