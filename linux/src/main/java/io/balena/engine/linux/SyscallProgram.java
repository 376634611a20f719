package io.balena.engine.linux;

import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// A table of system calls, built in Java and executed by a new process before its execve, or by this process at one stroke.
///
/// Between clone(2) and execve(2) no Java can run, and need not: all that is to happen is written down here beforehand, row after
/// row. Memory is shared with the child, so rows show how far it came and with which result, and rows it has not reached can
/// still be changed.
///
/// A row that fails ends the program, unless [#mayFail] or [#onFailure] say otherwise. Arguments that are pointers come from
/// [#text], [#bytes], [#words] and [#texts], which copy what they are given into the table's memory. A program is
/// built by one thread; after [#spawn] rows can be [read][#result] and [changed][#argument] but not added.
public final class SyscallProgram implements AutoCloseable {
    /// What [#result] says of a row that was not executed, or is being executed, or was an execve that succeeded.
    public static final long NOT_DONE = Long.MIN_VALUE;

    // Only pages that are touched cost memory. 2 MiB is what the kernel accepts as arguments and environment by default.
    private static final long ROWS_BYTES = 1 << 20;
    private static final long DATA_BYTES = 4 << 20;
    private static final int MAX_ROWS = (int) (ROWS_BYTES - Trampoline.ROWS) / Trampoline.ROW_BYTES - 1;

    private static final long CLONE_VM = 0x100;
    private static final long CLONE_PIDFD = 0x1000;
    private static final long CLONE_PARENT = 0x8000;
    private static final long CLONE_PARENT_SETTID = 0x100000;
    private static final long CLONE_CLEAR_SIGHAND = 0x100000000L;
    private static final long CLONE_INTO_CGROUP = 0x200000000L;
    private static final int CLONE_NEWPID = 0x20000000;
    private static final int CLONE_ARGUMENTS_BYTES = 88;
    private static final int SIGCHLD = 17;
    private static final int PR_SET_DUMPABLE = 4;

    private static final int WORDS_PER_ROW = Trampoline.ROW_BYTES / 8;
    private static final int RESULT_WORD = 7;
    private static final int LEAST_WORD = 8;
    private static final int FAILED_WORD = 9;

    private final long base = Trampoline.map(ROWS_BYTES + DATA_BYTES);
    private final Pointer memory = new Pointer(base);
    private boolean sealed;
    private boolean closed;

    private long[] words = new long[WORDS_PER_ROW * 64];
    private String[] attempts = new String[64];
    private Object[] subjects = new Object[64];
    private int rows;

    private byte[] data = new byte[4096];
    private int dataLength;

    /// Adds a row.
    ///
    /// @param attempt what it does, for the exception's message, e.g. `mount proc on`
    /// @param on what it does it to, e.g. a path; may be null
    /// @return the row's index
    public int add(Syscall call, String attempt, Object on, long a0, long a1, long a2, long a3, long a4, long a5) {
        if (sealed) throw new IllegalStateException("the program runs already");
        if (rows == attempts.length) grow();
        int w = rows * WORDS_PER_ROW;
        words[w] = call.number();
        words[w + 1] = a0;
        words[w + 2] = a1;
        words[w + 3] = a2;
        words[w + 4] = a3;
        words[w + 5] = a4;
        words[w + 6] = a5;
        words[w + RESULT_WORD] = NOT_DONE;
        attempts[rows] = attempt;
        subjects[rows] = on;
        return rows++;
    }

    public int add(Syscall call, String attempt, Object on, long a0, long a1, long a2, long a3, long a4) {
        return add(call, attempt, on, a0, a1, a2, a3, a4, 0);
    }

    public int add(Syscall call, String attempt, Object on, long a0, long a1, long a2, long a3) {
        return add(call, attempt, on, a0, a1, a2, a3, 0, 0);
    }

    public int add(Syscall call, String attempt, Object on, long a0, long a1, long a2) {
        return add(call, attempt, on, a0, a1, a2, 0, 0, 0);
    }

    public int add(Syscall call, String attempt, Object on, long a0, long a1) {
        return add(call, attempt, on, a0, a1, 0, 0, 0, 0);
    }

    public int add(Syscall call, String attempt, Object on, long a0) {
        return add(call, attempt, on, a0, 0, 0, 0, 0, 0);
    }

    public int add(Syscall call, String attempt, Object on) {
        return add(call, attempt, on, 0, 0, 0, 0, 0, 0);
    }

    /// Adds a row after which the program always goes on at another, to be given by [#onFailure].
    public int addJump() {
        int row = add(Syscall.GETPID, "jump", null);
        words[row * WORDS_PER_ROW + LEAST_WORD] = Long.MAX_VALUE;
        return row;
    }

    /// The index that the next row will have: a place to jump to.
    public int next() {
        return rows;
    }

    /// Lets the program go on with the following row when this one fails.
    ///
    /// @return `row`
    public int mayFail(int row) {
        return onFailure(row, row + 1);
    }

    /// Lets the program go on at row `target` when `row` fails.
    ///
    /// @return `row`
    public int onFailure(int row, int target) {
        words[row * WORDS_PER_ROW + FAILED_WORD] = address(target);
        return row;
    }

    /// Lets each row from `from` on that would end the program first write its errno (8 bytes, as [#result] has it) and then what it
    /// attempted to `descriptor`. For a child whose memory nobody can read any more.
    public void reportFailures(int from, int descriptor) {
        int to = rows;
        for (int row = from; row < to; row++) {
            if (words[row * WORDS_PER_ROW + FAILED_WORD] != 0) continue;
            byte[] attempt = (subjects[row] == null ? attempts[row] : attempts[row] + " " + subjects[row]).getBytes(StandardCharsets.UTF_8);
            onFailure(row, rows);
            mayFail(add(Syscall.WRITE, "report", attempts[row], descriptor, address(row) + Trampoline.RESULT, 8));
            mayFail(add(Syscall.WRITE, "report", attempts[row], descriptor, bytes(attempt), attempt.length));
            add(Syscall.EXIT_GROUP, "exit", null, 127);
        }
    }

    /// Counts a result below `least` as a failure, as with a read(2) that must not find the end; 0 unless said.
    ///
    /// @return `row`
    public int atLeast(int row, long least) {
        words[row * WORDS_PER_ROW + LEAST_WORD] = least;
        return row;
    }

    /// The address of a copy of `text`, ended by a zero byte.
    ///
    /// @throws IllegalArgumentException when it contains a zero byte, and so would mean something else to the kernel
    public long text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (text.indexOf('\0') >= 0) throw new IllegalArgumentException("zero byte in " + text);
        return bytes(bytes);
    }

    /// The address of a copy of `bytes`, aligned to 8 and followed by a zero byte.
    public long bytes(byte[] bytes) {
        int at = reserve(bytes.length + 1);
        System.arraycopy(bytes, 0, data, at, bytes.length);
        return base + ROWS_BYTES + at;
    }

    /// The address of an array of 64-bit numbers.
    public long words(long... values) {
        int at = reserve(values.length * 8);
        for (int i = 0; i < values.length; i++) {
            long value = values[i];
            for (int b = 0; b < 8; b++) data[at++] = (byte) (value >> 8 * b);
        }
        return base + ROWS_BYTES + at - values.length * 8L;
    }

    /// The address of an array of texts ended by a null pointer, as execve(2) wants it.
    public long texts(List<String> texts) {
        long[] pointers = new long[texts.size() + 1];
        for (int i = 0; i < texts.size(); i++) pointers[i] = text(texts.get(i));
        return words(pointers);
    }

    /// The address of zeroed memory.
    public long space(int bytes) {
        return base + ROWS_BYTES + reserve(bytes);
    }

    /// Executes the program in a new child process that shares our memory and nothing else, with default signal handlers and all
    /// signals blocked. The last row must be an execve(2).
    ///
    /// @param namespaces `CLONE_NEW…` flags
    public PidFd spawn(long namespaces) throws ErrnoException {
        return spawn(namespaces, Optional.empty());
    }

    /// As [#spawn(long)], as a member of a control group of version 2 from the start.
    ///
    /// To join it later takes tens of milliseconds: the kernel waits until no process anywhere is being started.
    ///
    /// @param group its folder, open for reading
    public PidFd spawn(long namespaces, Optional<Fd> group) throws ErrnoException {
        long pidFd = space(8);
        long flags = namespaces | CLONE_VM | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | (group.isPresent() ? CLONE_INTO_CGROUP : 0);
        long arguments = words(flags, pidFd, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, group.isPresent() ? group.get().number() : 0);
        add(Syscall.EXIT_GROUP, "exit", null, 127);
        seal();
        long pid = Trampoline.spawn(arguments, base);
        if (pid < 0) throw new ErrnoException((int) -pid, "clone3", "0x" + Long.toHexString(namespaces));
        return new PidFd((int) pid, new Fd(memory.getInt(pidFd - base)));
    }

    /// As [#spawn(long, Optional)], in an existing pid namespace.
    ///
    /// @param pidNamespace a `/proc/<pid>/ns/pid` that is open, or a process that is in it
    /// @throws ErrnoException `ESRCH` when that process has ended
    public PidFd spawnIn(Fd pidNamespace, long namespaces, Optional<Fd> group) throws IOException {
        // Joining changes the namespace of the thread's children for good, so this thread has no other use.
        return DisposableThread.call("pid namespace", () -> {
            Libc.check(Libc.setns(pidNamespace.number(), CLONE_NEWPID), "join pid namespace", pidNamespace);
            return spawn(namespaces, group);
        });
    }

    /// Adds rows by which the child makes a process that goes on with the following rows in its place, and ends: what only a
    /// new process can get, a pid namespace above all, is given to it by a child that has joined another user namespace first.
    ///
    /// The successor is our child as the first one was. It must wait next, until the first one was seen to end: until then both
    /// write down where they are. Of `namespaces` one must be a pid namespace, by which the two tell who they are: who is the first
    /// in one has no parent there.
    ///
    /// @return what [#successor] wants
    public long addSuccessor(long namespaces) {
        long pid = space(8);
        long arguments = words(namespaces | CLONE_VM | CLONE_PARENT | CLONE_PARENT_SETTID, 0, 0, pid, 0, 0, 0, 0, 0, 0, 0);
        add(Syscall.CLONE3, "clone3", "0x" + Long.toHexString(namespaces), arguments, CLONE_ARGUMENTS_BYTES);
        int parent = atLeast(add(Syscall.GETPPID, "getppid", null), 1);
        add(Syscall.EXIT_GROUP, "exit", null, 0);
        onFailure(parent, next());
        return pid;
    }

    /// Adds rows by which the child makes a process that goes on with the following rows in its place, and ends.
    ///
    /// Unlike the one of [#addSuccessor] it has memory of its own, and nothing in it but this program: whoever gets hold of it before its
    /// execve gets hold of nothing of ours. So what becomes of its rows is not seen here, unless they [report][#reportFailures] it.
    ///
    /// The child must lead its session; the successor leads another.
    ///
    /// @return what [#successor] wants
    public long addApartSuccessor() {
        long pid = space(8);
        int fork = atLeast(add(Syscall.CLONE, "clone", null, CLONE_PARENT | CLONE_PARENT_SETTID, 0, pid), 1);
        add(Syscall.EXIT_GROUP, "exit", null, 0);
        onFailure(fork, next());
        // Who leads a session cannot begin another, and so a child whose clone has failed does not go on.
        add(Syscall.SETSID, "clone", null);
        long end = base + ROWS_BYTES + DATA_BYTES;
        addUnmap(0, Math.min(base, Trampoline.START));
        long between = Math.min(end, Trampoline.END);
        long second = Math.max(base, Trampoline.START);
        if (between < second) addUnmap(between, second);
        long above = Math.max(end, Trampoline.END);
        // How high memory can be is up to the kernel; less than what there is, is refused nowhere.
        long[] ends = Trampoline.ends();
        for (int i = 0; i < ends.length - 1; i++) mayFail(addUnmap(above, ends[i]));
        addUnmap(above, ends[ends.length - 1]);
        return pid;
    }

    private int addUnmap(long from, long to) {
        return add(Syscall.MUNMAP, "munmap", null, from, to - from);
    }

    /// The process that follows the child, once that has ended.
    ///
    /// @param successor from [#addSuccessor] or [#addApartSuccessor]
    /// @return empty when it was not made
    public Optional<PidFd> successor(long successor) throws IOException {
        int pid = memory().getInt(successor - base);
        return pid == 0 ? Optional.empty() : Optional.of(PidFd.open(pid));
    }

    /// Keeps processes without power over this one from reading its memory, and that of its children before their execve.
    public static void protectMemory() throws ErrnoException {
        Libc.check(ProcessLibc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl", "PR_SET_DUMPABLE");
    }

    /// Executes the program in the calling thread and returns when it has ended.
    ///
    /// @throws ErrnoException of the row that ended it
    public void run() throws ErrnoException {
        int succeeded = addEnd();
        int failed = addEnd();
        for (int row = 0; row < succeeded; row++) {
            int w = row * WORDS_PER_ROW + FAILED_WORD;
            if (words[w] == 0) words[w] = address(failed);
        }
        seal();
        Trampoline.run(base);
        if (current() != failed) return;
        for (int row = 0; row < succeeded; row++) {
            // Only one row can have led here.
            int w = row * WORDS_PER_ROW;
            long result = result(row);
            if (result != NOT_DONE && result < words[w + LEAST_WORD] && words[w + FAILED_WORD] == address(failed)) {
                throw exception(row);
            }
        }
    }

    private int addEnd() {
        int row = add(Syscall.GETPID, "end", null);
        words[row * WORDS_PER_ROW] = -1;
        return row;
    }

    /// What a row returned, the negated errno when it failed, or [#NOT_DONE].
    public long result(int row) {
        return memory().getLong(address(row) - base + Trampoline.RESULT);
    }

    /// Changes an argument of a row that was not executed yet.
    public void argument(int row, int index, long value) {
        memory().setLong(address(row) - base + 8 + 8L * index, value);
    }

    public long argument(int row, int index) {
        return words[row * WORDS_PER_ROW + 1 + index];
    }

    /// The row the process is at, or with which it ended.
    public int current() {
        long row = memory().getLong(Trampoline.CURRENT);
        return row == 0 ? 0 : (int) ((row - base - Trampoline.ROWS) / Trampoline.ROW_BYTES);
    }

    /// What went wrong in a process that has ended without execve: the error of the row it is at.
    public ErrnoException failure() {
        return exception(current());
    }

    /// What the row attempts, as given when it was added.
    public String attempt(int row) {
        return attempts[row];
    }

    public Object subject(int row) {
        return subjects[row];
    }

    /// One line for each row, with its result.
    @Override
    public String toString() {
        var text = new StringBuilder();
        for (int row = 0; row < rows; row++) {
            text.append(row).append(' ').append(attempts[row]);
            if (subjects[row] != null) text.append(' ').append(subjects[row]);
            if (sealed && !closed) {
                long result = result(row);
                text.append(" = ").append(result == NOT_DONE ? "?" : Long.toString(result));
            }
            text.append('\n');
        }
        return text.toString();
    }

    private ErrnoException exception(int row) {
        long result = result(row);
        return new ErrnoException(result < 0 && result > -4096 ? (int) -result : 0, attempts[row], subjects[row]);
    }

    /// Gives the memory back. The process must have executed its execve or ended.
    @Override
    public void close() {
        if (closed) return;
        closed = true;
        Trampoline.unmap(base, ROWS_BYTES + DATA_BYTES);
    }

    private Pointer memory() {
        if (closed) throw new IllegalStateException("the program's memory was given back");
        return memory;
    }

    private void seal() {
        if (sealed) throw new IllegalStateException("the program runs already");
        sealed = true;
        memory().setLong(Trampoline.ALL_SIGNALS, -1);
        memory.write(Trampoline.ROWS, words, 0, rows * WORDS_PER_ROW);
        memory.write(ROWS_BYTES, data, 0, dataLength);
    }

    private long address(int row) {
        return base + Trampoline.ROWS + (long) row * Trampoline.ROW_BYTES;
    }

    private int reserve(int bytes) {
        int at = (dataLength + 7) & ~7;
        int end = Math.addExact(at, bytes);
        // One page is kept for what spawn adds.
        if (end > DATA_BYTES - 4096) throw new IllegalArgumentException("argument list too long");
        if (end > data.length) data = Arrays.copyOf(data, Math.max(end, data.length * 2));
        dataLength = end;
        return at;
    }

    private void grow() {
        if (rows * 2 > MAX_ROWS) throw new IllegalArgumentException("too many system calls: " + rows);
        words = Arrays.copyOf(words, words.length * 2);
        attempts = Arrays.copyOf(attempts, attempts.length * 2);
        subjects = Arrays.copyOf(subjects, subjects.length * 2);
    }
}
