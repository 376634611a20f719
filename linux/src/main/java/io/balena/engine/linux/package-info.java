/// The one place with JNA: what the JDK cannot say to Linux, said here once, in types.
///
/// | area | public face | calls bound in |
/// | --- | --- | --- |
/// | files | `FileCalls`, `FileStat`, `OpenFlags`, `ThreadRoot`, `DurableFile` | `FileLibc` |
/// | mounts | `Mounts`, `Mount` | `FileLibc` |
/// | what the kernel tells and is told in files | `KernelFile`, `Sysctl`, `CgroupEvents` | |
/// | processes | `SyscallProgram`, `Syscall`, `Gate`, `PidFd`, `ProcessId`, `Children`, `BpfProgram` | `ProcessLibc` |
/// | event loop | `Epoll`, `EventFd`, `Pipe`, `PseudoTerminal`, `NativeBuffer` | `LoopLibc` |
/// | sockets | `UnixListener`, `HeldName`, `BoundPort` | `SocketLibc` |
/// | netlink | `Rtnetlink`, `NetworkNamespace`, `TrackedFlows` and their values | `SocketLibc` |
/// | inflating | `IsalInflater`, where `libisal.so.2` is installed | its own |
/// | service manager | `ServiceManager`, `InheritedSockets` | `SocketLibc` |
/// | all | `Fd`, `Errno`, `ErrnoException` | `Libc` |
///
/// Every call that fails throws [io.balena.engine.linux.ErrnoException] with the call's name and what it was made on.
package io.balena.engine.linux;
