package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Writes limits into the files of version 2. What is missing, or 0, is left as it is.
final class LimitsV2 implements Limits {
    private final Path folder;
    private final CgroupWrites writes;

    LimitsV2(Path folder, CgroupWrites writes) {
        this.folder = folder;
        this.writes = writes;
    }

    @Override
    public void apply(RuntimeSpec.Resources resources) throws IOException {
        if (resources.memory() != null) setMemory(resources.memory());
        if (resources.cpu() != null) setCpu(resources.cpu());
        if (resources.pids() != null && resources.pids().limit() != 0) set("pids.max", orMax(resources.pids().limit()));
        if (resources.blockIO() != null) setBlockIo(resources.blockIO());
        for (var limit : resources.hugepageLimits()) {
            set("hugetlb." + limit.pageSize() + ".max", Long.toString(limit.limit()));
        }
        for (var setting : resources.unified().entrySet()) setUnified(setting.getKey(), setting.getValue());
        if (!resources.devices().isEmpty()) DeviceProgram.attach(resources.devices(), folder);
    }

    private void setMemory(RuntimeSpec.Memory memory) throws IOException {
        long limit = memory.limit() == null ? 0 : memory.limit();
        long swap = memory.swap() == null ? 0 : memory.swap();
        if (limit == -1 && swap == 0) swap = -1;
        if (swap == -1) {
            writes.writeIfThere(folder.resolve("memory.swap.max"), "max");
        } else if (swap != 0) {
            // Here swap is counted alone.
            writes.writeIfThere(folder.resolve("memory.swap.max"), Long.toString(swapAlone(limit, swap)));
        }
        if (limit != 0) set("memory.max", orMax(limit));
        if (isSet(memory.reservation())) set("memory.low", orMax(memory.reservation()));
    }

    /// @param swap memory and swap together, as the specification has it
    static long swapAlone(long limit, long swap) throws ContainerFailure {
        if (limit == 0 || limit == -1) throw failure("unable to set swap limit without memory limit");
        if (limit < 0) throw failure("invalid memory value: " + limit);
        if (swap < limit) throw failure("memory+swap limit should be >= memory limit");
        return swap - limit;
    }

    private void setCpu(RuntimeSpec.Cpu cpu) throws IOException {
        if (isSet(cpu.shares())) set("cpu.weight", Long.toString(weight(cpu.shares())));
        if (isSet(cpu.quota()) || isSet(cpu.period())) {
            String[] before = CgroupFiles.read(folder.resolve("cpu.max")).split(" ");
            String quota = !isSet(cpu.quota()) ? before[0] : cpu.quota() > 0 ? cpu.quota().toString() : "max";
            set("cpu.max", quota + " " + (isSet(cpu.period()) ? cpu.period().toString() : before[1]));
        }
        if (cpu.cpus() != null && !cpu.cpus().isEmpty()) set("cpuset.cpus", cpu.cpus());
        if (cpu.mems() != null && !cpu.mems().isEmpty()) set("cpuset.mems", cpu.mems());
    }

    /// Shares of 2 to 262144 as a weight of 1 to 10000, as all runtimes do it.
    static long weight(long shares) {
        return 1 + (shares - 2) * 9999 / 262142;
    }

    private void setBlockIo(RuntimeSpec.BlockIo block) throws IOException {
        if (block.weight() != null && block.weight() != 0) {
            if (!writes.writeIfThere(folder.resolve("io.bfq.weight"), block.weight().toString())) {
                writes.writeIfThere(folder.resolve("io.weight"), Long.toString(ioWeight(block.weight())));
            }
        }
        for (var device : block.weightDevice()) {
            if (device.weight() == null) continue;
            writes.writeIfThere(folder.resolve("io.bfq.weight"), device.major() + ":" + device.minor() + " " + device.weight());
        }
        throttle("rbps", block.throttleReadBpsDevice());
        throttle("wbps", block.throttleWriteBpsDevice());
        throttle("riops", block.throttleReadIOPSDevice());
        throttle("wiops", block.throttleWriteIOPSDevice());
    }

    /// 10 to 1000 as 1 to 10000, as all runtimes do it.
    static long ioWeight(long weight) {
        return 1 + (weight - 10) * 9999 / 990;
    }

    private void throttle(String key, List<RuntimeSpec.ThrottleDevice> devices) throws IOException {
        for (var device : devices) {
            set("io.max", device.major() + ":" + device.minor() + " " + key + "=" + device.rate());
        }
    }

    private void setUnified(String file, String value) throws IOException {
        if (file.indexOf('/') >= 0) throw failure("unified resource \"" + file + "\" must be a file name (no slashes)");
        if (!Files.exists(folder.resolve(file))) {
            int dot = file.indexOf('.');
            if (dot <= 0) throw failure("unified resource \"" + file + "\" must be in the form CONTROLLER.PARAMETER");
            throw failure("unified resource \"" + file + "\" can't be set: controller \"" + file.substring(0, dot) + "\" not available");
        }
        set(file, value);
    }

    private void set(String file, String value) throws IOException {
        writes.write(folder.resolve(file), value);
    }

    private static boolean isSet(Long value) {
        return value != null && value != 0;
    }

    private static String orMax(long value) {
        return value < 0 ? "max" : Long.toString(value);
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
