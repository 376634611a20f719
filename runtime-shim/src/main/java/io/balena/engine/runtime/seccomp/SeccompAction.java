package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;

/// What a filter returns to the kernel: an action in the upper half, its data in the lower.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/seccomp.2.html">seccomp(2)</a>
final class SeccompAction {
    static final int KILL_THREAD = 0;
    static final int ALLOW = 0x7fff0000;
    /// What a kernel answers that is older than the call.
    static final int NO_SUCH_CALL = 0x00050000 | 38;

    private static final int KILL_PROCESS = 0x80000000;
    private static final int TRAP = 0x00030000;
    private static final int ERRNO = 0x00050000;
    private static final int TRACE = 0x7ff00000;
    private static final int LOG = 0x7ffc0000;

    private static final int EPERM = 1;
    /// What libc cannot tell from an address.
    private static final int MAX_ERRNO = 4095;

    private SeccompAction() {}

    /// @param name e.g. `SCMP_ACT_ERRNO`
    /// @param errno the error, or what a tracer is told; null for `EPERM`
    /// @throws ContainerFailure with runc's words for a name that is none
    static int of(String name, Integer errno) throws ContainerFailure {
        // runc keeps 16 bits of the number it is given.
        int data = (errno == null ? EPERM : errno) & 0xffff;
        return switch (name) {
            case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD" -> KILL_THREAD;
            case "SCMP_ACT_KILL_PROCESS" -> KILL_PROCESS;
            case "SCMP_ACT_TRAP" -> TRAP;
            case "SCMP_ACT_ERRNO" -> {
                if (data >= MAX_ERRNO) throw SeccompFilter.invalid("errnoRet " + data + " is not an error number");
                yield ERRNO | data;
            }
            case "SCMP_ACT_TRACE" -> TRACE | data;
            case "SCMP_ACT_LOG" -> LOG;
            case "SCMP_ACT_ALLOW" -> ALLOW;
            // It would hand decisions over to a program on the host, which Docker has no way to name.
            case "SCMP_ACT_NOTIFY" -> throw SeccompFilter.invalid("SCMP_ACT_NOTIFY is not supported");
            case null -> throw SeccompFilter.invalid("string  is not a valid action for seccomp");
            default -> throw SeccompFilter.invalid("string " + name + " is not a valid action for seccomp");
        };
    }

    /// Whether the call takes place, or somebody decides who may know it.
    static boolean isPermissive(int action) {
        return action == ALLOW || action == LOG || (action & 0xffff0000) == TRACE;
    }
}
