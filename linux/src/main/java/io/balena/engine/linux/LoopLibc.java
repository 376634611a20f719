package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// The calls of an event loop over pipes, terminals and events.
final class LoopLibc {
    static {
        Native.register(LoopLibc.class, Platform.C_LIBRARY_NAME);
    }

    private LoopLibc() {}

    /// `int pipe2(int pipefd[2], int flags)`
    static native int pipe2(int[] ends, int flags);

    /// `ssize_t tee(int fd_in, int fd_out, size_t len, unsigned int flags)`
    static native int tee(int from, int to, int length, int flags);

    /// `int dup2(int oldfd, int newfd)`
    static native int dup2(int from, int to);

    /// `int flock(int fd, int operation)`
    static native int flock(int fd, int operation);

    /// `int ioctl(int fd, unsigned long request, void *argp)`: the requests used here fit 32 bits
    static native int ioctl(int fd, int request, Pointer argument);

    /// `int epoll_create1(int flags)`
    static native int epoll_create1(int flags);

    /// `int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)`
    static native int epoll_ctl(int epoll, int operation, int fd, Pointer event);

    /// `int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)`
    static native int epoll_wait(int epoll, Pointer events, int capacity, int timeoutMillis);

    /// `int poll(struct pollfd *fds, nfds_t nfds, int timeout)`
    static native int poll(long[] descriptors, int count, int timeoutMillis);

    /// `int eventfd(unsigned int initval, int flags)`
    static native int eventfd(int initial, int flags);

    /// `int inotify_init1(int flags)`
    static native int inotify_init1(int flags);

    /// `int inotify_add_watch(int fd, const char *pathname, uint32_t mask)`
    static native int inotify_add_watch(int fd, String path, int mask);
}
