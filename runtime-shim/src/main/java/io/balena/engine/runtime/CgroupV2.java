package io.balena.engine.runtime;

import io.balena.engine.linux.CgroupEvents;
import io.balena.engine.linux.Fd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Control groups of version 2: one folder.
final class CgroupV2 implements Cgroup {
    private final Path root;
    private final String relative;
    private final Path folder;

    CgroupV2(Hierarchies hierarchies, String relative) {
        this.root = hierarchies.unified() == null ? Path.of("/sys/fs/cgroup") : hierarchies.unified();
        this.relative = relative;
        this.folder = root.resolve(relative);
    }

    @Override
    public String relative() {
        return relative;
    }

    @Override
    public void create(RuntimeSpec.Resources resources) throws IOException {
        enableControllers();
        CgroupFiles.makeFolders(root, relative);
        if (resources == null) return;
        if (resources.memory() != null) setMemory(resources.memory());
        if (resources.cpu() != null) setCpu(resources.cpu());
        if (resources.pids() != null && resources.pids().limit() != 0) {
            long limit = resources.pids().limit();
            set("pids.max", limit < 0 ? "max" : Long.toString(limit));
        }
        if (resources.blockIO() != null) setBlockIo(resources.blockIO());
        for (var limit : resources.hugepageLimits()) {
            set("hugetlb." + limit.pageSize() + ".max", Long.toString(limit.limit()));
        }
        for (var setting : resources.unified().entrySet()) {
            if (setting.getKey().indexOf('/') >= 0) {
                throw new ContainerFailure(
                        ContainerFailure.Kind.SETUP, "unified resource \"" + setting.getKey() + "\" must be a file name");
            }
            set(setting.getKey(), setting.getValue());
        }
        if (!resources.devices().isEmpty()) DeviceProgram.attach(resources.devices(), folder);
    }

    /// A controller works in a group only when every group above hands it down.
    private void enableControllers() throws IOException {
        Path parent = root;
        String[] names = relative.split("/");
        for (int i = 0; i < names.length; i++) {
            String available = CgroupFiles.read(parent.resolve("cgroup.controllers"));
            for (String controller : available.isEmpty() ? new String[0] : available.split(" ")) {
                try {
                    CgroupFiles.write(parent.resolve("cgroup.subtree_control"), "+" + controller);
                } catch (ContainerFailure _) {
                    // What is not available is missed when a limit is to be set.
                }
            }
            parent = parent.resolve(names[i]);
            if (i < names.length - 1) CgroupFiles.makeFolders(root, root.relativize(parent).toString());
        }
    }

    private void setMemory(RuntimeSpec.Memory memory) throws IOException {
        Long limit = memory.limit();
        Long swap = memory.swap();
        if (limit != null && limit != 0) set("memory.max", limit < 0 ? "max" : limit.toString());
        if (swap != null && swap != 0) {
            if (swap < 0) {
                setIfThere("memory.swap.max", "max");
            } else if (limit != null && limit > 0) {
                if (swap < limit) {
                    throw new ContainerFailure(ContainerFailure.Kind.SETUP, "memory+swap limit should be >= memory limit");
                }
                // Here swap is counted alone.
                setIfThere("memory.swap.max", Long.toString(swap - limit));
            }
        }
        if (memory.reservation() != null && memory.reservation() != 0) {
            set("memory.low", memory.reservation() < 0 ? "max" : memory.reservation().toString());
        }
    }

    private void setCpu(RuntimeSpec.Cpu cpu) throws IOException {
        if (cpu.shares() != null && cpu.shares() != 0) {
            // 2..262144 to 1..10000, as all runtimes do.
            set("cpu.weight", Long.toString(1 + (cpu.shares() - 2) * 9999 / 262142));
        }
        boolean quota = cpu.quota() != null && cpu.quota() != 0;
        boolean period = cpu.period() != null && cpu.period() != 0;
        if (quota || period) {
            String most = quota && cpu.quota() > 0 ? cpu.quota().toString() : "max";
            set("cpu.max", most + " " + (period ? cpu.period() : 100_000));
        }
        if (cpu.cpus() != null && !cpu.cpus().isEmpty()) set("cpuset.cpus", cpu.cpus());
        if (cpu.mems() != null && !cpu.mems().isEmpty()) set("cpuset.mems", cpu.mems());
    }

    private void setBlockIo(RuntimeSpec.BlockIo block) throws IOException {
        if (block.weight() != null && block.weight() != 0) {
            if (!setIfThere("io.bfq.weight", block.weight().toString())) {
                // 10..1000 to 1..10000
                setIfThere("io.weight", Long.toString(1 + (block.weight() - 10L) * 9999 / 990));
            }
        }
        throttle("rbps", block.throttleReadBpsDevice());
        throttle("wbps", block.throttleWriteBpsDevice());
        throttle("riops", block.throttleReadIOPSDevice());
        throttle("wiops", block.throttleWriteIOPSDevice());
    }

    private void throttle(String key, List<RuntimeSpec.ThrottleDevice> devices) throws IOException {
        for (var device : devices) {
            set("io.max", device.major() + ":" + device.minor() + " " + key + "=" + device.rate());
        }
    }

    private void set(String file, String value) throws IOException {
        CgroupFiles.write(folder.resolve(file), value);
    }

    private boolean setIfThere(String file, String value) throws IOException {
        if (!Files.exists(folder.resolve(file))) return false;
        set(file, value);
        return true;
    }

    @Override
    public List<String> membershipFiles() {
        return List.of(folder + "/cgroup.procs");
    }

    @Override
    public void freeze(boolean frozen) throws IOException {
        set("cgroup.freeze", frozen ? "1" : "0");
        for (int attempt = 0; attempt < 2000; attempt++) {
            if (CgroupFiles.field(folder.resolve("cgroup.events"), "frozen") == (frozen ? 1 : 0)) return;
            java.util.concurrent.locks.LockSupport.parkNanos(500_000);
        }
        set("cgroup.freeze", "0");
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "unable to freeze " + relative);
    }

    @Override
    public boolean hasMembers() throws IOException {
        return CgroupFiles.hasMembers(folder);
    }

    @Override
    public boolean isFrozen() throws IOException {
        return CgroupFiles.field(folder.resolve("cgroup.events"), "frozen") == 1;
    }

    @Override
    public void kill() throws IOException {
        if (!Files.exists(folder)) return;
        // Since Linux 5.14; it also reaches frozen processes and those that are being forked.
        if (!setIfThere("cgroup.kill", "1")) {
            CgroupFiles.killMembers(folder);
            setIfThere("cgroup.freeze", "0");
        }
    }

    @Override
    public void destroy() throws IOException {
        kill();
        CgroupFiles.remove(folder);
    }

    @Override
    public Optional<Fd> watchOutOfMemory() throws IOException {
        Path events = folder.resolve("memory.events");
        return Files.exists(events) ? Optional.of(CgroupEvents.changesOf(events)) : Optional.empty();
    }

    @Override
    public long outOfMemoryKills() throws IOException {
        try {
            return CgroupFiles.field(folder.resolve("memory.events"), "oom_kill");
        } catch (NoSuchFileException _) {
            return 0;
        }
    }
}
