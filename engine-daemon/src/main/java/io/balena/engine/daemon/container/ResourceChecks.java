package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.CpuSet;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.spec.CgroupSupport;
import io.balena.engine.daemon.container.spec.CgroupSupport.Limit;
import java.util.ArrayList;
import java.util.List;

/// Whether what a container asks for makes sense and can be had on this machine, in the order and the words of dockerd.
///
/// What the kernel cannot do is left out of the configuration with a warning; what contradicts itself is refused.
final class ResourceChecks {
    private static final long LEAST_MEMORY_BYTES = 6 << 20;

    private final CgroupSupport machine;
    private final ObjectNode resources;
    private final boolean update;
    private final List<String> warnings = new ArrayList<>();

    /// @param host without what this machine cannot do
    record Checked(HostConfig host, List<String> warnings) {}

    private ResourceChecks(CgroupSupport machine, ObjectNode resources, boolean update) {
        this.machine = machine;
        this.resources = resources;
        this.update = update;
    }

    /// @throws InvalidRequest with Docker's words
    static Checked ofNew(HostConfig host, CgroupSupport machine) {
        return check(host, machine, false);
    }

    /// @param change what is to be changed; the rest is 0 or empty
    /// @throws InvalidRequest with Docker's words
    static Checked ofChange(HostConfig change, CgroupSupport machine) {
        return check(change, machine, true);
    }

    private static Checked check(HostConfig host, CgroupSupport machine, boolean update) {
        var checks = new ResourceChecks(machine, host.document().deepCopy(), update);
        checks.otherSystems();
        checks.realtime();
        checks.memory();
        checks.processors();
        checks.cpuset();
        checks.blockIo();
        return new Checked(HostConfig.load(checks.resources), List.copyOf(checks.warnings));
    }

    private void otherSystems() {
        if (value("IOMaximumBandwidth") != 0) {
            throw new InvalidRequest("Invalid QoS settings: linux does not support configuration of maximum bandwidth");
        }
        if (value("IOMaximumIOps") != 0) {
            throw new InvalidRequest("Invalid QoS settings: linux does not support configuration of maximum IOPs");
        }
    }

    private void realtime() {
        long period = value("CpuRealtimePeriod");
        long runtime = value("CpuRealtimeRuntime");
        if (period > 0 && !machine.has(Limit.CPU_REALTIME)) {
            throw new InvalidRequest("Your kernel does not support cgroup cpu real-time period");
        }
        if (runtime > 0 && !machine.has(Limit.CPU_REALTIME)) {
            throw new InvalidRequest("Your kernel does not support cgroup cpu real-time runtime");
        }
        if (period != 0 && runtime != 0 && runtime > period) {
            throw new InvalidRequest("cpu real-time runtime cannot be higher than cpu real-time period");
        }
    }

    private void memory() {
        // -1, which clients send for "the default", is as good as nothing.
        if (resources.path("MemorySwappiness").asLong(0) == -1) resources.putNull("MemorySwappiness");
        if (value("Memory") != 0 && value("Memory") < LEAST_MEMORY_BYTES) throw new InvalidRequest("Minimum memory limit allowed is 6MB");
        if (value("Memory") > 0 && !machine.has(Limit.MEMORY)) {
            warnings.add("Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.");
            resources.put("Memory", 0).put("MemorySwap", -1);
        }
        if (value("Memory") > 0 && value("MemorySwap") != -1 && !machine.has(Limit.SWAP)) {
            warnings.add("Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.");
            resources.put("MemorySwap", -1);
        }
        long swap = value("MemorySwap");
        if (value("Memory") > 0 && swap > 0 && swap < value("Memory")) {
            throw new InvalidRequest("Minimum memoryswap limit should be larger than memory limit, see usage");
        }
        if (value("Memory") == 0 && swap > 0 && !update) {
            throw new InvalidRequest("You should always set the Memory limit when using Memoryswap limit, see usage");
        }
        swappiness();
        reservation();
        kernelMemory();
        oomKiller();
        if (resources.hasNonNull("PidsLimit") && !machine.has(Limit.PIDS)) {
            if (value("PidsLimit") > 0) {
                warnings.add("Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.");
            }
            resources.putNull("PidsLimit");
        }
    }

    private void swappiness() {
        if (!resources.hasNonNull("MemorySwappiness")) return;
        if (!machine.has(Limit.SWAPPINESS)) {
            warnings.add("Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. "
                    + "Memory swappiness discarded.");
            resources.putNull("MemorySwappiness");
            return;
        }
        long swappiness = value("MemorySwappiness");
        if (swappiness < 0 || swappiness > 100) {
            throw new InvalidRequest("Invalid value: " + swappiness + ", valid memory swappiness range is 0-100");
        }
    }

    private void reservation() {
        if (value("MemoryReservation") > 0 && !machine.has(Limit.RESERVATION)) {
            warnings.add("Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.");
            resources.put("MemoryReservation", 0);
        }
        long reservation = value("MemoryReservation");
        if (reservation > 0 && reservation < LEAST_MEMORY_BYTES) throw new InvalidRequest("Minimum memory reservation allowed is 6MB");
        if (value("Memory") > 0 && reservation > 0 && value("Memory") < reservation) {
            throw new InvalidRequest("Minimum memory limit can not be less than memory reservation limit, see usage");
        }
    }

    private void kernelMemory() {
        if (value("KernelMemory") <= 0) return;
        warnings.add("Specifying a kernel memory limit is deprecated and will be removed in a future release.");
        if (!machine.has(Limit.KERNEL_MEMORY)) {
            warnings.add("Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.");
            resources.put("KernelMemory", 0);
        } else if (value("KernelMemory") < LEAST_MEMORY_BYTES) {
            throw new InvalidRequest("Minimum kernel memory limit allowed is 6MB");
        }
    }

    private void oomKiller() {
        if (!resources.path("OomKillDisable").asBoolean()) return;
        if (!machine.has(Limit.OOM_KILL_DISABLE)) {
            warnings.add("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
            resources.put("OomKillDisable", false);
        } else if (value("Memory") == 0) {
            warnings.add("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out "
                    + "of resources.");
        }
    }

    private void processors() {
        long nanos = value("NanoCpus");
        if (nanos > 0 && value("CpuPeriod") > 0) throw new InvalidRequest("Conflicting options: Nano CPUs and CPU Period cannot both be set");
        if (nanos > 0 && value("CpuQuota") > 0) throw new InvalidRequest("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
        boolean bandwidth = machine.has(Limit.CPU_PERIOD) && machine.has(Limit.CPU_QUOTA);
        if (nanos > 0 && !bandwidth) {
            throw new InvalidRequest("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted");
        }
        int available = Runtime.getRuntime().availableProcessors();
        if (nanos < 0 || nanos > available * 1_000_000_000L) {
            throw new InvalidRequest("Range of CPUs is from 0.01 to " + available + ".00, as there are only " + available + " CPUs available");
        }
        if (value("CpuShares") > 0 && !machine.has(Limit.CPU_SHARES)) {
            warnings.add("Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.");
            resources.put("CpuShares", 0);
        }
        if ((value("CpuPeriod") != 0 || value("CpuQuota") != 0) && !bandwidth) {
            warnings.add("Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.");
            resources.put("CpuPeriod", 0).put("CpuQuota", 0);
        }
        long period = value("CpuPeriod");
        if (period != 0 && (period < 1000 || period > 1_000_000)) {
            throw new InvalidRequest("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
        }
        if (value("CpuQuota") > 0 && value("CpuQuota") < 1000) throw new InvalidRequest("CPU cfs quota can not be less than 1ms (i.e. 1000)");
        if (value("CpuPercent") > 0) {
            warnings.add("linux does not support CPU percent. Percent discarded.");
            resources.put("CpuPercent", 0);
        }
    }

    private void cpuset() {
        String cpus = resources.path("CpusetCpus").asText("");
        String nodes = resources.path("CpusetMems").asText("");
        if (!(cpus + nodes).isEmpty() && !machine.has(Limit.CPUSET)) {
            warnings.add("Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.");
            resources.put("CpusetCpus", "").put("CpusetMems", "");
            return;
        }
        require("cpuset cpus", "CPUs", cpus, machine.cpus());
        require("cpuset mems", "memory nodes", nodes, machine.memoryNodes());
    }

    private static void require(String field, String what, String requested, String available) {
        if (requested.isEmpty()) return;
        CpuSet wanted;
        try {
            wanted = CpuSet.parse(requested);
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest("Invalid value " + requested + " for " + field + ": " + e.getMessage());
        }
        if (!CpuSet.parse(available).containsAll(wanted)) {
            throw new InvalidRequest("Requested " + what + " are not available - requested " + requested + ", available: " + available);
        }
    }

    private void blockIo() {
        if (value("BlkioWeight") > 0 && !machine.has(Limit.IO_WEIGHT)) {
            warnings.add("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
            resources.put("BlkioWeight", 0);
        }
        long weight = value("BlkioWeight");
        if (weight > 0 && (weight < 10 || weight > 1000)) throw new InvalidRequest("Range of blkio weight is from 10 to 1000");
        discard("BlkioWeightDevice", Limit.IO_WEIGHT_DEVICE, "Block I/O weight_device", "Weight-device");
        discard("BlkioDeviceReadBps", Limit.IO_READ_BPS, "BPS Block I/O read limit", "Block I/O BPS read limit");
        discard("BlkioDeviceWriteBps", Limit.IO_WRITE_BPS, "BPS Block I/O write limit", "Block I/O BPS write limit");
        discard("BlkioDeviceReadIOps", Limit.IO_READ_IOPS, "IOPS Block read limit", "Block I/O IOPS read limit");
        discard("BlkioDeviceWriteIOps", Limit.IO_WRITE_IOPS, "IOPS Block write limit", "Block I/O IOPS write limit");
    }

    private void discard(String field, Limit limit, String what, String lost) {
        if (resources.path(field).isEmpty() || machine.has(limit)) return;
        warnings.add("Your kernel does not support " + what + " or the cgroup is not mounted. " + lost + " discarded.");
        resources.putArray(field);
    }

    private long value(String field) {
        return resources.path(field).asLong(0);
    }
}
