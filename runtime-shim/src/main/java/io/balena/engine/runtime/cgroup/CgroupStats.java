package io.balena.engine.runtime.cgroup;

import java.util.List;
import java.util.Map;

/// What a container uses and has used, as its control groups count it. What a machine does not count is 0 or empty.
///
/// @param hugepages by size, e.g. `2MB`
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v1/index.html">cgroup v1</a>
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v2.html">cgroup v2</a>
public record CgroupStats(Cpu cpu, Memory memory, Pids pids, BlockIo blockIo, Map<String, Hugepages> hugepages) {
    /// Nanoseconds of processor time.
    ///
    /// @param perProcessor empty in version 2
    /// @param periods of `cpu.max` or the CFS quota that have passed
    public record Cpu(
            long total, long user, long system, List<Long> perProcessor, long periods, long throttledPeriods, long throttled) {}

    /// Bytes.
    ///
    /// @param highest 0 in version 2 before Linux 5.19
    /// @param limit [Long#MAX_VALUE] for none
    /// @param failures how often the limit was met
    /// @param swap memory and swap together in version 1, swap alone in version 2
    /// @param details the kernel's `memory.stat`, in its order
    public record Memory(
            long usage, long highest, long limit, long failures, Usage swap, Usage kernel, Usage kernelTcp, Map<String, Long> details) {}

    /// @param limit [Long#MAX_VALUE] for none
    public record Usage(long usage, long highest, long limit, long failures) {}

    /// @param limit 0 for none
    public record Pids(long current, long limit) {}

    public record BlockIo(List<Transfer> bytes, List<Transfer> operations) {}

    /// @param operation as the kernel calls it, e.g. `Read`, `Total`; in version 2 `Read` or `Write`
    public record Transfer(long major, long minor, String operation, long value) {}

    /// Bytes.
    public record Hugepages(long usage, long highest, long failures) {}
}
