package io.balena.engine.runtime;

import java.time.Instant;

/// How a process ended.
///
/// @param code exit code, or 128 + signal number; 255 when unknown, because the shim itself was replaced meanwhile
/// @param known false in that case
/// @param oomKilled the kernel's OOM killer struck in its cgroup
public record ExitStatus(int code, boolean known, boolean oomKilled, Instant at) {}
