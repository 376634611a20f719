package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// The calls of an event loop over pipes, terminals, processes and sockets.
///
/// `size_t` and `ssize_t` are declared as `int`: nothing here moves 2 GB at once, and libffi extends an `int` argument to the
/// register's width on every architecture we run on.
final class LoopCalls {
    static {
        Native.register(LoopCalls.class, Platform.C_LIBRARY_NAME);
    }

    private LoopCalls() {}

    /// `ssize_t read(int fd, void *buf, size_t count)`
    static native int read(int fd, Pointer buffer, int count);

    /// `ssize_t write(int fd, const void *buf, size_t count)`
    static native int write(int fd, Pointer buffer, int count);

    /// `int pipe2(int pipefd[2], int flags)`
    static native int pipe2(int[] ends, int flags);

    /// `int fcntl(int fd, int cmd, int arg)`
    static native int fcntl(int fd, int command, int argument);

    /// `int open(const char *pathname, int flags, mode_t mode)`
    static native int open(String path, int flags, int mode);

    /// `int dup2(int oldfd, int newfd)`
    static native int dup2(int from, int to);

    /// `off64_t lseek64(int fd, off64_t offset, int whence)`
    static native long lseek64(int fd, long offset, int whence);

    /// `int ftruncate64(int fd, off64_t length)`
    static native int ftruncate64(int fd, long length);

    /// `int flock(int fd, int operation)`
    static native int flock(int fd, int operation);

    /// `int epoll_create1(int flags)`
    static native int epoll_create1(int flags);

    /// `int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)`
    static native int epoll_ctl(int epoll, int operation, int fd, Pointer event);

    /// `int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)`
    static native int epoll_wait(int epoll, Pointer events, int capacity, int timeoutMillis);

    /// `int eventfd(unsigned int initval, int flags)`
    static native int eventfd(int initial, int flags);

    /// `int socket(int domain, int type, int protocol)`
    static native int socket(int domain, int type, int protocol);

    /// `int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)`
    static native int bind(int socket, Pointer address, int length);

    /// `int listen(int sockfd, int backlog)`
    static native int listen(int socket, int backlog);

    /// `int accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags)`
    static native int accept4(int socket, Pointer address, Pointer length, int flags);

    /// `int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen)`
    static native int getsockopt(int socket, int level, int option, Pointer value, int[] length);

    /// `int fchmod(int fd, mode_t mode)`
    static native int fchmod(int fd, int mode);

    /// `int ioctl(int fd, unsigned long request, void *argp)`: the requests used here fit 32 bits
    static native int ioctl(int fd, int request, Pointer argument);

    /// `int waitid(idtype_t idtype, id_t id, siginfo_t *infop, int options)`
    static native int waitid(int idType, int id, Pointer info, int options);

    /// `pid_t setsid(void)`
    static native int setsid();

    /// `int prctl(int option, unsigned long arg2)`
    static native int prctl(int option, int argument);

    /// `pid_t getpid(void)`
    static native int getpid();

    /// `uid_t geteuid(void)`
    static native int geteuid();
}
