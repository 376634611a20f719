package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.OptionalInt;

/// The processes this one is the parent of, and its own place among processes.
public final class Children {
    private static final int P_ALL = 0;
    private static final int P_PID = 1;
    private static final int P_PIDFD = 3;
    private static final int WNOHANG = 1;
    private static final int WEXITED = 4;
    private static final int WNOWAIT = 0x01000000;
    /// Also children that announce their end by another signal than SIGCHLD.
    private static final int WALL = 0x40000000;
    private static final int CLD_EXITED = 1;
    private static final int PR_SET_CHILD_SUBREAPER = 36;

    // siginfo_t: signo, errno, code, then (aligned to a pointer) pid, uid, status
    private static final int SIGINFO_BYTES = 128;
    private static final int CODE = 8;
    private static final int PID = Native.POINTER_SIZE == 8 ? 16 : 12;
    private static final int STATUS = PID + 8;

    private Children() {}

    /// Takes the exit status of a child that has ended, after which its pid is free.
    ///
    /// @return its exit code, or 128 + the signal that ended it; empty when it has not ended, or is not our child
    public static OptionalInt reap(PidFd process) throws ErrnoException {
        return waitFor(P_PIDFD, process.fd().number(), WNOHANG, STATUS);
    }

    /// As [PidFd#awaitEnd()].
    static int awaitEnd(PidFd process) throws ErrnoException {
        return waitFor(P_PIDFD, process.fd().number(), 0, STATUS).orElseThrow();
    }

    /// The pid of some child that has ended and was not reaped; it stays so.
    public static OptionalInt anyEnded() throws ErrnoException {
        return waitFor(P_ALL, 0, WNOHANG | WNOWAIT, PID);
    }

    /// Frees the pid of a child that has ended.
    public static void reap(int pid) throws ErrnoException {
        waitFor(P_PID, pid, WNOHANG, STATUS);
    }

    /// Signals all of the process group that a child leads, which was not reaped yet.
    ///
    /// @throws ErrnoException `ESRCH` when there is nobody in it
    public static void signalGroup(int leader, int signal) throws ErrnoException {
        Libc.check(ProcessLibc.kill(-leader, signal), "kill", "process group " + leader);
    }

    /// Makes this process the parent of its descendants' orphans.
    public static void adoptOrphans() throws ErrnoException {
        Libc.check(ProcessLibc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)", null);
    }

    public static int ownPid() {
        return ProcessLibc.getpid();
    }

    /// The user this process acts as.
    public static int ownUser() {
        return ProcessLibc.geteuid();
    }

    /// Leaves the terminal and process group of whoever started this process. Does nothing for the leader of a group.
    public static void leaveSession() {
        ProcessLibc.setsid();
    }

    /// @return empty with `WNOHANG` when there is no such child, or it has not ended
    private static OptionalInt waitFor(int idType, int id, int options, int field) throws ErrnoException {
        try (var memory = NativeMemory.zeroed(SIGINFO_BYTES)) {
            Pointer info = memory.pointer();
            while (ProcessLibc.waitid(idType, id, info, WEXITED | WALL | options) == -1) {
                int errno = Native.getLastError();
                if (errno == Errno.EINTR.number()) continue;
                if (errno == Errno.ECHILD.number() && (options & WNOHANG) != 0) return OptionalInt.empty();
                throw new ErrnoException(errno, "waitid", idType == P_PIDFD ? "pidfd " + id : id);
            }
            if (info.getInt(PID) == 0) return OptionalInt.empty();
            int value = info.getInt(field);
            return OptionalInt.of(field == STATUS && info.getInt(CODE) != CLD_EXITED ? 128 + value : value);
        }
    }
}
