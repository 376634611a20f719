package io.balena.engine.runtime.seccomp;

import java.util.Map;

/// The two calls of 32-bit x86 that stand for many others, which their first argument names: sockets' and those of System V IPC.
///
/// A rule about one of the others must be applied here too, or it would be avoided by taking this way. Conditions on the first argument
/// cannot be: that of the call itself lies in memory.
///
/// @param through the call that is made
/// @param test what its first argument must be
/// @see <a href="https://man7.org/linux/man-pages/man2/socketcall.2.html">socketcall(2)</a>, linux/net.h
/// @see <a href="https://man7.org/linux/man-pages/man2/ipc.2.html">ipc(2)</a>, linux/ipc.h
record MultiplexedCalls(String through, ArgumentTest test) {
    private static final Map<String, Integer> SOCKETCALL = Map.ofEntries(
            Map.entry("socket", 1), Map.entry("bind", 2), Map.entry("connect", 3), Map.entry("listen", 4), Map.entry("accept", 5),
            Map.entry("getsockname", 6), Map.entry("getpeername", 7), Map.entry("socketpair", 8), Map.entry("send", 9),
            Map.entry("recv", 10), Map.entry("sendto", 11), Map.entry("recvfrom", 12), Map.entry("shutdown", 13),
            Map.entry("setsockopt", 14), Map.entry("getsockopt", 15), Map.entry("sendmsg", 16), Map.entry("recvmsg", 17),
            Map.entry("accept4", 18), Map.entry("recvmmsg", 19), Map.entry("sendmmsg", 20));

    private static final Map<String, Integer> IPC = Map.ofEntries(
            Map.entry("semop", 1), Map.entry("semget", 2), Map.entry("semctl", 3), Map.entry("semtimedop", 4),
            Map.entry("msgsnd", 11), Map.entry("msgrcv", 12), Map.entry("msgget", 13), Map.entry("msgctl", 14),
            Map.entry("shmat", 21), Map.entry("shmdt", 22), Map.entry("shmget", 23), Map.entry("shmctl", 24));

    /// The kernel keeps a version in the upper half of ipc(2)'s argument, and looks only at the lower one.
    private static final long IPC_CALL = 0xffff;

    /// @return null for a call that is only made directly
    static MultiplexedCalls of(String call) {
        Integer number = SOCKETCALL.get(call);
        if (number != null) return new MultiplexedCalls("socketcall", ArgumentTest.equal(0, -1, number));
        number = IPC.get(call);
        return number == null ? null : new MultiplexedCalls("ipc", ArgumentTest.equal(0, IPC_CALL, number));
    }
}
