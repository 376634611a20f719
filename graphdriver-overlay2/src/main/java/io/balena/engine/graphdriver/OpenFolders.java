package io.balena.engine.graphdriver;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The folder that files are being made in, held open together with the folders above it: a tar lists a tree depth first, so
/// the next folder is one of these or a child of one.
///
/// Resolved by the kernel from the thread's root, symbolic links included.
final class OpenFolders implements AutoCloseable {
    private static final byte[] ROOT = "/".getBytes(StandardCharsets.US_ASCII);
    /// Of folders that the tar does not list.
    private static final int MISSING_MODE = 0755;
    private static final int MAX_DEPTH = 32;

    private final FileCalls calls;
    private final IdentityMapping owners;
    /// `fds[i]` is open on the first `lengths[i]` bytes of `path`; the first one is the root.
    private final int[] fds = new int[MAX_DEPTH];
    private final int[] lengths = new int[MAX_DEPTH];
    private int depth;
    private byte[] path = new byte[0];
    private boolean stale;

    /// @param owners says who owns what is made
    OpenFolders(FileCalls calls, IdentityMapping owners) {
        this.calls = calls;
        this.owners = owners;
    }

    int root() throws IOException {
        if (depth == 0) {
            fds[0] = calls.open(FileCalls.WORKING_DIRECTORY, ROOT, OpenFlags.PATH | OpenFlags.DIRECTORY);
            depth = 1;
        }
        return fds[0];
    }

    /// The folder `of[0..length)`, open until the next call; made, with those above, when it is missing.
    int open(byte[] of, int length) throws IOException {
        root();
        while (stale && depth > 1) pop();
        stale = false;
        while (!isOnTheWay(lengths[depth - 1], of, length)) pop();
        if (lengths[depth - 1] == length) return fds[depth - 1];
        int from = lengths[depth - 1] == 0 ? 0 : lengths[depth - 1] + 1;
        int fd = openOrMake(fds[depth - 1], of, from, length);
        if (depth == MAX_DEPTH) pop();
        fds[depth] = fd;
        lengths[depth] = length;
        depth++;
        path = of;
        return fd;
    }

    /// Something was removed, which may have been one of these. The folder opened last stays open until the next call.
    void forget() {
        stale = true;
    }

    @Override
    public void close() {
        while (depth > 0) pop();
    }

    private boolean isOnTheWay(int opened, byte[] of, int length) {
        if (opened == 0) return true;
        if (opened > length || opened < length && of[opened] != '/') return false;
        return path == of || Arrays.equals(path, 0, opened, of, 0, opened);
    }

    private void pop() {
        calls.close(fds[--depth]);
    }

    private int openOrMake(int parent, byte[] of, int from, int to) throws IOException {
        try {
            return calls.open(parent, of, from, to, OpenFlags.PATH | OpenFlags.DIRECTORY, 0);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) throw e;
        }
        for (int end = from + 1; end <= to; end++) {
            if (end < to && of[end] != '/') continue;
            try {
                calls.mkdir(parent, of, from, end, MISSING_MODE);
                if (!owners.isNone()) calls.chown(parent, of, from, end, owners.rootUser(), owners.rootGroup());
            } catch (ErrnoException e) {
                if (e.errno() != Errno.EEXIST) throw e;
            }
        }
        return calls.open(parent, of, from, to, OpenFlags.PATH | OpenFlags.DIRECTORY, 0);
    }
}
