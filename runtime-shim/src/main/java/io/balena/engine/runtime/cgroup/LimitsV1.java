package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Writes limits into the files of version 1. What is missing, or 0, is left as it is.
final class LimitsV1 implements Limits {
    private final FoldersV1 folders;
    private final CgroupWrites writes;

    LimitsV1(FoldersV1 folders, CgroupWrites writes) {
        this.folders = folders;
        this.writes = writes;
    }

    @Override
    public void apply(RuntimeSpec.Resources resources) throws IOException {
        if (!resources.unified().isEmpty()) throw failure("invalid configuration: cannot use unified on cgroup v1");
        if (resources.memory() != null) setMemory(resources.memory());
        if (resources.cpu() != null) setCpu(resources.cpu());
        if (resources.pids() != null && resources.pids().limit() != 0) {
            long limit = resources.pids().limit();
            set("pids", "pids.max", limit < 0 ? "max" : Long.toString(limit));
        }
        if (resources.blockIO() != null) setBlockIo(resources.blockIO());
        for (var limit : resources.hugepageLimits()) setHugepages(limit);
        setDevices(resources.devices());
    }

    private void setMemory(RuntimeSpec.Memory memory) throws IOException {
        long limit = orZero(memory.limit());
        long swap = orZero(memory.swap());
        // Without a word about swap, memory without limit means swap without limit, which else would be the lower one.
        if (limit == -1 && swap == 0 && folders.has("memory", "memory.memsw.limit_in_bytes")) swap = -1;
        // Memory and swap together; the kernel never lets it be below the limit of memory alone.
        boolean swapFirst = limit != 0 && swap != 0 && (swap == -1 || swap > currentSwap());
        if (swapFirst) setSwap(swap);
        if (limit != 0) setLimit(limit);
        if (swap != 0 && !swapFirst) setSwap(swap);
        if (isSet(memory.reservation())) set("memory", "memory.soft_limit_in_bytes", memory.reservation().toString());
        if (isSet(memory.kernelTCP())) {
            writeIfThere("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP().toString());
        }
        if (memory.swappiness() != null && memory.swappiness() != -1) {
            if (memory.swappiness() < 0 || memory.swappiness() > 100) {
                throw failure("invalid memory swappiness value: " + memory.swappiness() + " (valid range is 0-100)");
            }
            set("memory", "memory.swappiness", memory.swappiness().toString());
        }
        if (Boolean.TRUE.equals(memory.disableOOMKiller())) set("memory", "memory.oom_control", "1");
    }

    private void setLimit(long limit) throws IOException {
        try {
            set("memory", "memory.limit_in_bytes", Long.toString(limit));
        } catch (ContainerFailure e) {
            if (!e.getMessage().endsWith("resource busy")) throw e;
            Path folder = folders.of("memory");
            throw failure("unable to set memory limit to " + limit + " (current usage: "
                    + CgroupFiles.read(folder.resolve("memory.usage_in_bytes")) + ", peak usage: "
                    + CgroupFiles.read(folder.resolve("memory.max_usage_in_bytes")) + ")");
        }
    }

    private void setSwap(long swap) throws IOException {
        writeIfThere("memory", "memory.memsw.limit_in_bytes", Long.toString(swap));
    }

    private long currentSwap() throws IOException {
        return folders.has("memory", "memory.memsw.limit_in_bytes")
                ? Long.parseLong(CgroupFiles.read(folders.of("memory").resolve("memory.memsw.limit_in_bytes"))) : Long.MAX_VALUE;
    }

    private void setCpu(RuntimeSpec.Cpu cpu) throws IOException {
        if (isSet(cpu.shares())) setShares(cpu.shares());
        boolean periodLater = false;
        if (isSet(cpu.period())) {
            try {
                set("cpu", "cpu.cfs_period_us", cpu.period().toString());
            } catch (ContainerFailure e) {
                // Too short for the quota that still holds; a new quota may make it possible.
                if (!isSet(cpu.quota())) throw e;
                periodLater = true;
            }
        }
        if (isSet(cpu.quota())) set("cpu", "cpu.cfs_quota_us", cpu.quota().toString());
        if (periodLater) set("cpu", "cpu.cfs_period_us", cpu.period().toString());
        if (isSet(cpu.realtimePeriod())) set("cpu", "cpu.rt_period_us", cpu.realtimePeriod().toString());
        if (isSet(cpu.realtimeRuntime())) set("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime().toString());
        if (cpu.cpus() != null && !cpu.cpus().isEmpty()) set("cpuset", "cpuset.cpus", cpu.cpus());
        if (cpu.mems() != null && !cpu.mems().isEmpty()) set("cpuset", "cpuset.mems", cpu.mems());
    }

    /// The kernel takes what is out of range for the nearest it knows.
    private void setShares(long shares) throws IOException {
        set("cpu", "cpu.shares", Long.toString(shares));
        long taken = Long.parseLong(CgroupFiles.read(folders.of("cpu").resolve("cpu.shares")));
        if (shares > taken) throw failure("the maximum allowed cpu-shares is " + taken);
        if (shares < taken) throw failure("the minimum allowed cpu-shares is " + taken);
    }

    private void setBlockIo(RuntimeSpec.BlockIo block) throws IOException {
        if (block.weight() != null && block.weight() != 0) {
            // The second name is that of the scheduler bfq, which is all that newer kernels have.
            if (!writeIfThere("blkio", "blkio.weight", block.weight().toString())) {
                writeIfThere("blkio", "blkio.bfq.weight", block.weight().toString());
            }
        }
        for (var device : block.weightDevice()) {
            if (device.weight() == null) continue;
            String line = device.major() + ":" + device.minor() + " " + device.weight();
            if (!writeIfThere("blkio", "blkio.weight_device", line)) writeIfThere("blkio", "blkio.bfq.weight_device", line);
        }
        throttle("blkio.throttle.read_bps_device", block.throttleReadBpsDevice());
        throttle("blkio.throttle.write_bps_device", block.throttleWriteBpsDevice());
        throttle("blkio.throttle.read_iops_device", block.throttleReadIOPSDevice());
        throttle("blkio.throttle.write_iops_device", block.throttleWriteIOPSDevice());
    }

    private void throttle(String file, List<RuntimeSpec.ThrottleDevice> devices) throws IOException {
        for (var device : devices) set("blkio", file, device.major() + ":" + device.minor() + " " + device.rate());
    }

    private void setHugepages(RuntimeSpec.HugepageLimit limit) throws IOException {
        // On a machine with both versions the controller may be with version 2.
        Path unified = folders.unified();
        if (folders.of("hugetlb") == null && unified != null) {
            if (writes.writeIfThere(unified.resolve("hugetlb." + limit.pageSize() + ".max"), Long.toString(limit.limit()))) return;
        }
        set("hugetlb", "hugetlb." + limit.pageSize() + ".limit_in_bytes", Long.toString(limit.limit()));
    }

    private void setDevices(List<RuntimeSpec.DeviceRule> asked) throws IOException {
        if (asked.isEmpty()) return;
        List<RuntimeSpec.DeviceRule> rules = inRuncsOrder(asked);
        Path folder = folders.of("devices");
        if (folder == null) throw failure("cannot set device rules: the host has no cgroup controller devices");
        // Rules are applied in their order; neighbours of one kind go through one open file.
        for (int from = 0; from < rules.size(); ) {
            boolean allow = rules.get(from).allow();
            List<String> lines = new ArrayList<>();
            while (from < rules.size() && rules.get(from).allow() == allow) lines.add(line(rules.get(from++)));
            CgroupFiles.writeEach(folder.resolve(allow ? "devices.allow" : "devices.deny"), lines);
        }
    }

    /// Where all is denied and some allowed, no order among these matters to the kernel, but programs inside read the list: by major and
    /// minor number, those for all numbers first.
    private static List<RuntimeSpec.DeviceRule> inRuncsOrder(List<RuntimeSpec.DeviceRule> rules) {
        for (int i = 0; i < rules.size(); i++) {
            if (rules.get(i).allow() != (i > 0) || isForAll(rules.get(i)) != (i == 0)) return rules;
        }
        List<RuntimeSpec.DeviceRule> ordered = new ArrayList<>(rules.subList(1, rules.size()));
        ordered.sort((one, other) -> {
            int order = Long.compare(orAll(one.major()), orAll(other.major()));
            if (order == 0) order = Long.compare(orAll(one.minor()), orAll(other.minor()));
            return order == 0 ? one.type().compareTo(other.type()) : order;
        });
        ordered.addFirst(rules.getFirst());
        return ordered;
    }

    private static boolean isForAll(RuntimeSpec.DeviceRule rule) {
        return rule.type() == null || rule.type().isEmpty() || rule.type().equals("a");
    }

    private static long orAll(Long number) {
        return number == null ? -1 : number;
    }

    private static String line(RuntimeSpec.DeviceRule rule) {
        if (isForAll(rule)) return "a";
        String access = rule.access() == null || rule.access().isEmpty() ? "rwm" : rule.access();
        return rule.type() + " " + number(rule.major()) + ":" + number(rule.minor()) + " " + access;
    }

    private static String number(Long number) {
        return number == null || number < 0 ? "*" : number.toString();
    }

    private void set(String controller, String file, String value) throws IOException {
        Path folder = folders.of(controller);
        if (folder == null) throw failure("cannot set " + file + ": the host has no cgroup controller " + controller);
        writes.write(folder.resolve(file), value);
    }

    /// @return false where the kernel lacks the file; Docker warns of what it lacks when the container is created
    private boolean writeIfThere(String controller, String file, String value) throws IOException {
        Path folder = folders.of(controller);
        return folder != null && writes.writeIfThere(folder.resolve(file), value);
    }

    private static boolean isSet(Long value) {
        return value != null && value != 0;
    }

    private static long orZero(Long value) {
        return value == null ? 0 : value;
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
