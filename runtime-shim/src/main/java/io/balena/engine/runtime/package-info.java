/// The OCI runtime, the shim process that owns containers, and the client the daemon talks to it with. Here are the words they share.
///
/// ```
///   daemon          bundles             the shim's one thread
///      │               │                        │
///   client          command                   shim ──────────┐
///      │               │                 ┌──────┤            │
///      │               └───▶ external ◀──┘      │          stream
///      │                        │               │            │
///      │                     container ◀────────┘           log
///      │        ┌──────────┬────┴─────┬──────────┐           │
///      │     rootfs     process    cgroup     seccomp      loop
///      │        │          │          │          │
///      │        │      namespace     bus         │
///      │        └──────────┴────┬─────┴──────────┘
///      ▼                        ▼
///     wire                     spec
/// ```
///
/// An arrow or a line down means "knows". Nothing knows what is above it.
package io.balena.engine.runtime;
