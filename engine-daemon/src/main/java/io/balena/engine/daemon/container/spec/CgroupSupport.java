package io.balena.engine.daemon.container.spec;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Which limits this machine's control groups can set.
///
/// @param version `1` or `2`
/// @param cpus processors that containers may be bound to, e.g. `0-3`; empty when unknown
/// @param memoryNodes as `cpus`
public record CgroupSupport(String version, Set<Limit> limits, String cpus, String memoryNodes) {
    private static final Path ROOT = Path.of("/sys/fs/cgroup");

    /// The kinds of limits that clients ask `/info` about, or that are dropped with a warning where they cannot be set.
    public enum Limit {
        MEMORY, SWAP, RESERVATION, SWAPPINESS, KERNEL_MEMORY, KERNEL_MEMORY_TCP, OOM_KILL_DISABLE, CPU_PERIOD, CPU_QUOTA, CPU_SHARES,
        CPU_REALTIME, CPUSET, PIDS, IO_WEIGHT, IO_WEIGHT_DEVICE, IO_READ_BPS, IO_WRITE_BPS, IO_READ_IOPS, IO_WRITE_IOPS
    }

    public static CgroupSupport ofThisMachine() {
        return Files.exists(ROOT.resolve("cgroup.controllers")) ? unified() : separate();
    }

    public boolean has(Limit limit) {
        return limits.contains(limit);
    }

    private static CgroupSupport unified() {
        List<String> controllers = List.of(text(ROOT.resolve("cgroup.controllers")).split(" "));
        Set<Limit> limits = EnumSet.noneOf(Limit.class);
        if (controllers.contains("memory")) {
            limits.addAll(List.of(Limit.MEMORY, Limit.RESERVATION));
            if (Files.exists(Path.of("/proc/swaps"))) limits.add(Limit.SWAP);
        }
        if (controllers.contains("cpu")) limits.addAll(List.of(Limit.CPU_PERIOD, Limit.CPU_QUOTA, Limit.CPU_SHARES));
        if (controllers.contains("cpuset")) limits.add(Limit.CPUSET);
        if (controllers.contains("pids")) limits.add(Limit.PIDS);
        if (controllers.contains("io")) {
            limits.addAll(List.of(Limit.IO_WEIGHT, Limit.IO_WEIGHT_DEVICE, Limit.IO_READ_BPS, Limit.IO_WRITE_BPS, Limit.IO_READ_IOPS,
                    Limit.IO_WRITE_IOPS));
        }
        return new CgroupSupport("2", limits, text(ROOT.resolve("cpuset.cpus.effective")), text(ROOT.resolve("cpuset.mems.effective")));
    }

    private static CgroupSupport separate() {
        Set<Limit> limits = EnumSet.noneOf(Limit.class);
        add(limits, Limit.MEMORY, "memory/memory.limit_in_bytes");
        add(limits, Limit.SWAP, "memory/memory.memsw.limit_in_bytes");
        add(limits, Limit.RESERVATION, "memory/memory.soft_limit_in_bytes");
        add(limits, Limit.SWAPPINESS, "memory/memory.swappiness");
        add(limits, Limit.KERNEL_MEMORY, "memory/memory.kmem.limit_in_bytes");
        add(limits, Limit.KERNEL_MEMORY_TCP, "memory/memory.kmem.tcp.limit_in_bytes");
        add(limits, Limit.OOM_KILL_DISABLE, "memory/memory.oom_control");
        add(limits, Limit.CPU_PERIOD, "cpu/cpu.cfs_period_us");
        add(limits, Limit.CPU_QUOTA, "cpu/cpu.cfs_quota_us");
        add(limits, Limit.CPU_SHARES, "cpu/cpu.shares");
        add(limits, Limit.CPU_REALTIME, "cpu/cpu.rt_period_us");
        add(limits, Limit.CPUSET, "cpuset/cpuset.cpus");
        add(limits, Limit.PIDS, "pids");
        add(limits, Limit.IO_WEIGHT, "blkio/blkio.weight");
        add(limits, Limit.IO_WEIGHT_DEVICE, "blkio/blkio.weight_device");
        add(limits, Limit.IO_READ_BPS, "blkio/blkio.throttle.read_bps_device");
        add(limits, Limit.IO_WRITE_BPS, "blkio/blkio.throttle.write_bps_device");
        add(limits, Limit.IO_READ_IOPS, "blkio/blkio.throttle.read_iops_device");
        add(limits, Limit.IO_WRITE_IOPS, "blkio/blkio.throttle.write_iops_device");
        return new CgroupSupport("1", limits, text(ROOT.resolve("cpuset/cpuset.cpus")), text(ROOT.resolve("cpuset/cpuset.mems")));
    }

    private static void add(Set<Limit> limits, Limit limit, String file) {
        if (Files.exists(ROOT.resolve(file))) limits.add(limit);
    }

    private static String text(Path file) {
        try {
            return KernelFile.text(file).strip();
        } catch (IOException e) {
            return "";
        }
    }

    public void addTo(Map<String, Object> info) {
        info.put("MemoryLimit", has(Limit.MEMORY));
        info.put("SwapLimit", has(Limit.SWAP));
        if (version.equals("1")) {
            info.put("KernelMemory", has(Limit.KERNEL_MEMORY));
            info.put("KernelMemoryTCP", has(Limit.KERNEL_MEMORY_TCP));
        }
        info.put("CpuCfsPeriod", has(Limit.CPU_PERIOD));
        info.put("CpuCfsQuota", has(Limit.CPU_QUOTA));
        info.put("CPUShares", has(Limit.CPU_SHARES));
        info.put("CPUSet", has(Limit.CPUSET));
        info.put("PidsLimit", has(Limit.PIDS));
        info.put("OomKillDisable", has(Limit.OOM_KILL_DISABLE));
    }

    public List<String> warnings() {
        Map<Limit, String> words = new LinkedHashMap<>();
        words.put(Limit.MEMORY, "WARNING: No memory limit support");
        words.put(Limit.SWAP, "WARNING: No swap limit support");
        words.put(Limit.CPU_QUOTA, "WARNING: No cpu cfs quota support");
        words.put(Limit.CPU_PERIOD, "WARNING: No cpu cfs period support");
        words.put(Limit.CPU_SHARES, "WARNING: No cpu shares support");
        words.put(Limit.CPUSET, "WARNING: No cpuset support");
        List<String> warnings = new ArrayList<>();
        words.forEach((limit, warning) -> {
            if (!has(limit)) warnings.add(warning);
        });
        return warnings;
    }
}
