package io.balena.engine.runtime.process;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.ResourceLimit;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.seccomp.SeccompFilter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;

/// Rows that make the child the user it is to be, and take from it what it may not do.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/capabilities.7.html">capabilities(7)</a>
final class Rights {
    private static final long PR_SET_KEEPCAPS = 8;
    private static final long PR_CAPBSET_DROP = 24;
    private static final long PR_SET_NO_NEW_PRIVS = 38;
    private static final long PR_CAP_AMBIENT = 47;
    private static final long PR_CAP_AMBIENT_RAISE = 2;
    private static final long CAPABILITY_VERSION_3 = 0x20080522;
    private static final long SECCOMP_SET_MODE_FILTER = 1;

    private final SyscallProgram program;
    private final RuntimeSpec.Process process;
    private final HostFacts host;

    Rights(SyscallProgram program, RuntimeSpec.Process process, HostFacts host) {
        this.program = program;
        this.process = process;
        this.host = host;
    }

    /// Sets the limits of a process that waits in a user namespace, where it could not raise them by itself. Elsewhere it does that as long
    /// as it has our user: of another, only who may raise limits may set any.
    void limitResources(int pid) throws IOException {
        if (!host.belowUsers()) return;
        for (int i = 0; i < process.rlimits().size(); i++) {
            var limit = process.rlimits().get(i);
            int resource = Rlimits.number(limit.type());
            try {
                ResourceLimit.set(pid, resource, limit.soft(), limit.hard());
            } catch (ErrnoException e) {
                throw new ContainerFailure(
                        ContainerFailure.Kind.SETUP, "error setting rlimits for ready process: error setting rlimit type " + resource + ": " + e.errno().text());
            }
        }
    }

    void addLimits() throws ContainerFailure {
        if (host.belowUsers()) return;
        for (int i = 0; i < process.rlimits().size(); i++) {
            var limit = process.rlimits().get(i);
            int resource = Rlimits.number(limit.type());
            program.add(
                    Syscall.PRLIMIT64,
                    "error setting rlimits for ready process: error setting rlimit type",
                    resource,
                    0,
                    resource,
                    program.words(limit.soft(), limit.hard()),
                    0);
        }
    }

    /// Changes the user; all capabilities it may have are effective afterwards.
    void addUser() throws ContainerFailure {
        var user = process.user();
        var capabilities = process.capabilities();
        long bounding = capabilities == null ? 0 : CapabilitySet.of(capabilities.bounding());
        for (int c = 0; c <= host.lastCapability(); c++) {
            long bit = 1L << c;
            if ((bounding & bit) == 0 && (host.bounding() & bit) != 0) {
                program.add(Syscall.PRCTL, "drop from bounding set: capability", c, PR_CAPBSET_DROP, c, 0, 0, 0);
            }
        }
        if (user.uid() != 0) program.add(Syscall.PRCTL, "prctl", "PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, 1, 0, 0, 0);
        addGroups(user);
        program.add(
                Syscall.SETRESUID, "setresuid", user.uid(), unsigned(user.uid()), unsigned(user.uid()), unsigned(user.uid()));
        // The change of user has emptied the effective set, which the following steps need.
        if (user.uid() != 0) addCapset(host.permitted(), host.permitted(), 0);
    }

    private void addGroups(RuntimeSpec.User user) {
        int count = user.additionalGids().size();
        byte[] gids = new byte[count * 4];
        for (int i = 0; i < count; i++) {
            int gid = user.additionalGids().get(i);
            for (int b = 0; b < 4; b++) gids[i * 4 + b] = (byte) (gid >> 8 * b);
        }
        program.add(Syscall.SETGROUPS, "setgroups", null, count, program.bytes(gids));
        program.add(
                Syscall.SETRESGID, "setresgid", user.gid(), unsigned(user.gid()), unsigned(user.gid()), unsigned(user.gid()));
    }

    /// The last of them.
    ///
    /// @param filter may be null
    void addLoss(SeccompFilter filter) {
        // What a filter forbids is forbidden to the rows behind it, so it comes as late as it can: last if nothing can be gained
        // any more, since anybody may then load one, else before the capability that it takes is given up.
        if (process.noNewPrivileges()) {
            addCapabilities();
            program.add(Syscall.PRCTL, "prctl", "PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            addFilter(filter);
        } else {
            addFilter(filter);
            addCapabilities();
        }
    }

    private void addFilter(SeccompFilter filter) {
        if (filter == null) return;
        // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
        long fprog = program.words(filter.code().length / 8, program.bytes(filter.code()));
        program.add(Syscall.SECCOMP, "load seccomp filter", null, SECCOMP_SET_MODE_FILTER, filter.flags(), fprog);
    }

    private void addCapabilities() {
        var capabilities = process.capabilities();
        long allowed = host.permitted();
        long effective = capabilities == null ? 0 : CapabilitySet.of(capabilities.effective()) & allowed;
        long permitted = capabilities == null ? 0 : CapabilitySet.of(capabilities.permitted()) & allowed;
        long inheritable = capabilities == null ? 0 : CapabilitySet.of(capabilities.inheritable()) & host.bounding();
        long ambient = capabilities == null ? 0 : CapabilitySet.of(capabilities.ambient()) & permitted & inheritable;
        addCapset(effective & permitted, permitted, inheritable);
        for (int c = 0; c <= host.lastCapability(); c++) {
            if ((ambient & 1L << c) != 0) {
                program.add(Syscall.PRCTL, "raise ambient capability", c, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
            }
        }
    }

    private void addCapset(long effective, long permitted, long inheritable) {
        long header = program.words(CAPABILITY_VERSION_3);
        // struct { __u32 effective, permitted, inheritable; } for the lower and the upper half
        long low = 0xFFFFFFFFL;
        long data = program.words(
                effective & low | permitted << 32,
                inheritable & low | effective & ~low,
                permitted >>> 32 | inheritable & ~low);
        program.add(Syscall.CAPSET, "capset", null, header, data);
    }

    /// An id, or -1, as a system call's argument.
    static long unsigned(int id) {
        return id & 0xFFFFFFFFL;
    }
}
