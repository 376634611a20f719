package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// The calls behind unix sockets, netlink and port reservations.
///
/// Constants are the generic Linux ones, equal on x86-64, aarch64 and arm.
final class SocketLibc {
    static {
        Native.register(SocketLibc.class, Platform.C_LIBRARY_NAME);
    }

    static final int AF_UNIX = 1;
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;
    static final int AF_NETLINK = 16;
    static final int SOCK_STREAM = 1;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_RAW = 3;
    static final int SOCK_NONBLOCK = 04000;
    static final int SOCK_CLOEXEC = 02000000;
    static final int SOL_SOCKET = 1;
    static final int SO_REUSEADDR = 2;
    static final int SO_PEERCRED = 17;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;
    static final int SCM_RIGHTS = 1;
    static final int SHUT_RD = 0;
    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;

    private SocketLibc() {}

    /// `int socket(int domain, int type, int protocol)`
    static native int socket(int domain, int type, int protocol);

    /// `int socketpair(int domain, int type, int protocol, int sv[2])`
    static native int socketpair(int domain, int type, int protocol, int[] ends);

    /// `int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)`
    static native int bind(int socket, Pointer address, int length);

    /// `int connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen)`
    static native int connect(int socket, Pointer address, int length);

    /// `int memfd_create(const char *name, unsigned int flags)`
    static native int memfd_create(String name, int flags);

    /// `int listen(int sockfd, int backlog)`
    static native int listen(int socket, int backlog);

    /// `int accept4(int sockfd, struct sockaddr *addr, socklen_t *addrlen, int flags)`
    static native int accept4(int socket, Pointer address, Pointer length, int flags);

    /// `int shutdown(int sockfd, int how)`
    static native int shutdown(int socket, int how);

    /// `int getsockname(int sockfd, struct sockaddr *addr, socklen_t *addrlen)`
    static native int getsockname(int socket, Pointer address, int[] length);

    /// `int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen)`
    static native int getsockopt(int socket, int level, int option, Pointer value, int[] length);

    /// `int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen)`
    static native int setsockopt(int socket, int level, int option, Pointer value, int length);

    /// `ssize_t send(int sockfd, const void *buf, size_t len, int flags)`
    static native int send(int socket, Pointer buffer, int length, int flags);

    /// `ssize_t sendto(int sockfd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen)`
    static native int sendto(int socket, Pointer buffer, int length, int flags, Pointer address, int addressLength);

    /// `ssize_t recv(int sockfd, void *buf, size_t len, int flags)`
    static native int recv(int socket, Pointer buffer, int length, int flags);

    /// `ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags)`
    static native int recvmsg(int socket, Pointer message, int flags);

    /// `ssize_t sendmsg(int sockfd, const struct msghdr *msg, int flags)`
    static native int sendmsg(int socket, Pointer message, int flags);
}
