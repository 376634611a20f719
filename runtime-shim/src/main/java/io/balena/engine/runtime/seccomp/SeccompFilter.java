package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The `seccomp` object of a spec as the kernel takes it.
///
/// @param code `struct sock_filter` after `struct sock_filter`: classic BPF
/// @param flags of seccomp(2)
/// @see <a href="https://docs.kernel.org/userspace-api/seccomp_filter.html">Seccomp BPF</a>
public record SeccompFilter(byte[] code, long flags) {
    private static final int FLAG_TSYNC = 1;
    private static final int FLAG_LOG = 2;
    private static final int FLAG_SPEC_ALLOW = 4;

    /// Containers of one engine are filtered in few ways, by their capabilities.
    private static final Map<RuntimeSpec.Seccomp, SeccompFilter> COMPILED = new ConcurrentHashMap<>();
    private static final int MOST_COMPILED = 32;

    /// @return null when nothing is to be filtered
    /// @throws ContainerFailure for actions, architectures, operators, arguments or flags that do not exist, worded as by runc
    public static SeccompFilter of(RuntimeSpec.Seccomp seccomp) throws ContainerFailure {
        if (saysNothing(seccomp)) return null;
        SeccompFilter known = COMPILED.get(seccomp);
        if (known != null) return known;
        var filter = new SeccompFilter(new SeccompCompiler(seccomp, SyscallNumbers.load()).compile(), flags(seccomp));
        if (COMPILED.size() >= MOST_COMPILED) COMPILED.clear();
        COMPILED.put(seccomp, filter);
        return filter;
    }

    private static boolean saysNothing(RuntimeSpec.Seccomp seccomp) {
        return seccomp == null
                || (seccomp.defaultAction() == null || seccomp.defaultAction().isEmpty()) && seccomp.syscalls().isEmpty();
    }

    private static long flags(RuntimeSpec.Seccomp seccomp) throws ContainerFailure {
        // Without this flag the kernel slows the process down by a mitigation that Docker's containers have never had.
        if (seccomp.flags().isEmpty()) return FLAG_SPEC_ALLOW;
        long flags = 0;
        for (String flag : seccomp.flags()) {
            flags |= switch (flag) {
                case "SECCOMP_FILTER_FLAG_TSYNC" -> FLAG_TSYNC;
                case "SECCOMP_FILTER_FLAG_LOG" -> FLAG_LOG;
                case "SECCOMP_FILTER_FLAG_SPEC_ALLOW" -> FLAG_SPEC_ALLOW;
                default -> throw invalid("seccomp flag \"" + flag + "\" is not supported");
            };
        }
        return flags;
    }

    static ContainerFailure invalid(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
