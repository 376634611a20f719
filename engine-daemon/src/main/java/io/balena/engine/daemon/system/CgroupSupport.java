package io.balena.engine.daemon.system;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which limits this machine's control groups can set.
///
/// @param version `1` or `2`
/// @param limits by their names in `/info`
record CgroupSupport(String version, Map<String, Boolean> limits) {
    private static final Path ROOT = Path.of("/sys/fs/cgroup");

    static CgroupSupport ofThisMachine() {
        return Files.exists(ROOT.resolve("cgroup.controllers")) ? unified() : separate();
    }

    private static CgroupSupport unified() {
        List<String> controllers = List.of(Machine.firstLine(ROOT.resolve("cgroup.controllers"), "").split(" "));
        Map<String, Boolean> limits = new LinkedHashMap<>();
        limits.put("MemoryLimit", controllers.contains("memory"));
        limits.put("SwapLimit", controllers.contains("memory") && Files.exists(Path.of("/proc/swaps")));
        limits.put("CpuCfsPeriod", controllers.contains("cpu"));
        limits.put("CpuCfsQuota", controllers.contains("cpu"));
        limits.put("CPUShares", controllers.contains("cpu"));
        limits.put("CPUSet", controllers.contains("cpuset"));
        limits.put("PidsLimit", controllers.contains("pids"));
        limits.put("OomKillDisable", false);
        return new CgroupSupport("2", limits);
    }

    private static CgroupSupport separate() {
        Map<String, Boolean> limits = new LinkedHashMap<>();
        limits.put("MemoryLimit", has("memory/memory.limit_in_bytes"));
        limits.put("SwapLimit", has("memory/memory.memsw.limit_in_bytes"));
        limits.put("KernelMemory", has("memory/memory.kmem.limit_in_bytes"));
        limits.put("KernelMemoryTCP", has("memory/memory.kmem.tcp.limit_in_bytes"));
        limits.put("CpuCfsPeriod", has("cpu/cpu.cfs_period_us"));
        limits.put("CpuCfsQuota", has("cpu/cpu.cfs_quota_us"));
        limits.put("CPUShares", has("cpu/cpu.shares"));
        limits.put("CPUSet", has("cpuset/cpuset.cpus"));
        limits.put("PidsLimit", Files.isDirectory(ROOT.resolve("pids")));
        limits.put("OomKillDisable", has("memory/memory.oom_control"));
        return new CgroupSupport("1", limits);
    }

    private static boolean has(String file) {
        return Files.exists(ROOT.resolve(file));
    }

    void addTo(Map<String, Object> info) {
        info.putAll(limits);
    }

    List<String> warnings() {
        Map<String, String> words = new LinkedHashMap<>();
        words.put("MemoryLimit", "WARNING: No memory limit support");
        words.put("SwapLimit", "WARNING: No swap limit support");
        words.put("CpuCfsQuota", "WARNING: No cpu cfs quota support");
        words.put("CpuCfsPeriod", "WARNING: No cpu cfs period support");
        words.put("CPUShares", "WARNING: No cpu shares support");
        words.put("CPUSet", "WARNING: No cpuset support");
        List<String> warnings = new ArrayList<>();
        words.forEach((limit, warning) -> {
            if (!limits.get(limit)) warnings.add(warning);
        });
        return warnings;
    }
}
