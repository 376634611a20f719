package io.balena.engine.runtime;

import io.balena.engine.linux.CgroupEvents;
import io.balena.engine.linux.Fd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Control groups of version 1: a folder of the same name in every hierarchy.
final class CgroupV1 implements Cgroup {
    private final Hierarchies hierarchies;
    private final String relative;

    CgroupV1(Hierarchies hierarchies, String relative) {
        this.hierarchies = hierarchies;
        this.relative = relative;
    }

    @Override
    public String relative() {
        return relative;
    }

    @Override
    public void create(RuntimeSpec.Resources resources) throws IOException {
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            var hierarchy = hierarchies.v1().get(i);
            CgroupFiles.makeFolders(hierarchy.mount(), relative);
            if (hierarchy.has("cpuset")) inheritCpuset(hierarchy.mount(), hierarchy.mount().resolve(relative));
        }
        if (resources == null) return;
        if (resources.memory() != null) setMemory(resources.memory());
        if (resources.cpu() != null) setCpu(resources.cpu());
        if (resources.pids() != null) setPids(resources.pids());
        if (resources.blockIO() != null) setBlockIo(resources.blockIO());
        for (var limit : resources.hugepageLimits()) {
            set("hugetlb", "hugetlb." + limit.pageSize() + ".limit_in_bytes", Long.toString(limit.limit()));
        }
        setDevices(resources.devices());
    }

    /// A new cpuset is empty, and nothing can run in it. The one above may be as new: another container has made it this moment
    /// and not filled it yet.
    private static void inheritCpuset(Path root, Path folder) throws IOException {
        for (String file : new String[] {"cpuset.cpus", "cpuset.mems"}) {
            if (folder.equals(root) || !CgroupFiles.read(folder.resolve(file)).isEmpty()) continue;
            Path parent = folder.getParent();
            inheritCpuset(root, parent);
            CgroupFiles.write(folder.resolve(file), CgroupFiles.read(parent.resolve(file)));
        }
    }

    private void setMemory(RuntimeSpec.Memory memory) throws IOException {
        Long limit = memory.limit();
        Long swap = memory.swap();
        if (limit != null && limit != 0) {
            set("memory", "memory.limit_in_bytes", limit.toString());
        }
        // Memory and swap together; the kernel wants it not below the limit of memory, so it comes second in a new group.
        if (swap != null && swap != 0) setIfThere("memory", "memory.memsw.limit_in_bytes", swap.toString());
        if (memory.reservation() != null && memory.reservation() != 0) {
            set("memory", "memory.soft_limit_in_bytes", memory.reservation().toString());
        }
        if (memory.kernelTCP() != null && memory.kernelTCP() != 0) {
            setIfThere("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP().toString());
        }
        if (memory.swappiness() != null && memory.swappiness() != -1) {
            if (memory.swappiness() < 0 || memory.swappiness() > 100) {
                throw new ContainerFailure(
                        ContainerFailure.Kind.SETUP, "invalid memory swappiness value: " + memory.swappiness() + " (valid range is 0-100)");
            }
            set("memory", "memory.swappiness", memory.swappiness().toString());
        }
        if (Boolean.TRUE.equals(memory.disableOOMKiller())) set("memory", "memory.oom_control", "1");
    }

    private void setCpu(RuntimeSpec.Cpu cpu) throws IOException {
        if (isSet(cpu.shares())) set("cpu", "cpu.shares", cpu.shares().toString());
        if (isSet(cpu.period())) set("cpu", "cpu.cfs_period_us", cpu.period().toString());
        if (isSet(cpu.quota())) set("cpu", "cpu.cfs_quota_us", cpu.quota().toString());
        if (isSet(cpu.realtimePeriod())) set("cpu", "cpu.rt_period_us", cpu.realtimePeriod().toString());
        if (isSet(cpu.realtimeRuntime())) set("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime().toString());
        if (cpu.cpus() != null && !cpu.cpus().isEmpty()) set("cpuset", "cpuset.cpus", cpu.cpus());
        if (cpu.mems() != null && !cpu.mems().isEmpty()) set("cpuset", "cpuset.mems", cpu.mems());
    }

    private static boolean isSet(Long value) {
        return value != null && value != 0;
    }

    private void setPids(RuntimeSpec.Pids pids) throws IOException {
        if (pids.limit() != 0) set("pids", "pids.max", pids.limit() < 0 ? "max" : Long.toString(pids.limit()));
    }

    private void setBlockIo(RuntimeSpec.BlockIo block) throws IOException {
        if (block.weight() != null && block.weight() != 0) {
            // The second name is that of the scheduler bfq, which is all that newer kernels have.
            if (!setIfThere("blkio", "blkio.weight", block.weight().toString())) {
                setIfThere("blkio", "blkio.bfq.weight", block.weight().toString());
            }
        }
        for (var device : block.weightDevice()) {
            if (device.weight() != null) {
                setIfThere("blkio", "blkio.weight_device", device.major() + ":" + device.minor() + " " + device.weight());
            }
        }
        throttle("blkio.throttle.read_bps_device", block.throttleReadBpsDevice());
        throttle("blkio.throttle.write_bps_device", block.throttleWriteBpsDevice());
        throttle("blkio.throttle.read_iops_device", block.throttleReadIOPSDevice());
        throttle("blkio.throttle.write_iops_device", block.throttleWriteIOPSDevice());
    }

    private void throttle(String file, List<RuntimeSpec.ThrottleDevice> devices) throws IOException {
        for (var device : devices) set("blkio", file, device.major() + ":" + device.minor() + " " + device.rate());
    }

    private void setDevices(List<RuntimeSpec.DeviceRule> rules) throws IOException {
        if (rules.isEmpty()) return;
        Path folder = folder("devices");
        if (folder == null) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "cannot set device rules: the host has no cgroup controller devices");
        }
        // Rules are applied in their order; neighbours of one kind go through one open file.
        for (int from = 0; from < rules.size(); ) {
            boolean allow = rules.get(from).allow();
            List<String> lines = new ArrayList<>();
            while (from < rules.size() && rules.get(from).allow() == allow) lines.add(line(rules.get(from++)));
            CgroupFiles.writeEach(folder.resolve(allow ? "devices.allow" : "devices.deny"), lines);
        }
    }

    private static String line(RuntimeSpec.DeviceRule rule) {
        String type = rule.type() == null || rule.type().isEmpty() ? "a" : rule.type();
        String access = rule.access() == null || rule.access().isEmpty() ? "rwm" : rule.access();
        if (type.equals("a")) return "a";
        return type + " " + number(rule.major()) + ":" + number(rule.minor()) + " " + access;
    }

    private static String number(Long number) {
        return number == null || number < 0 ? "*" : number.toString();
    }

    private void set(String controller, String file, String value) throws IOException {
        Path folder = folder(controller);
        if (folder == null) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "cannot set " + file + ": the host has no cgroup controller " + controller);
        }
        CgroupFiles.write(folder.resolve(file), value);
    }

    /// @return false where the kernel lacks the file; Docker warns of what it lacks when the container is created
    private boolean setIfThere(String controller, String file, String value) throws IOException {
        Path folder = folder(controller);
        if (folder == null || !Files.exists(folder.resolve(file))) return false;
        CgroupFiles.write(folder.resolve(file), value);
        return true;
    }

    /// The container's folder in the hierarchy of a controller, or null.
    private Path folder(String controller) {
        var hierarchy = hierarchies.with(controller);
        return hierarchy == null ? null : hierarchy.mount().resolve(relative);
    }

    @Override
    public List<String> membershipFiles() {
        List<String> files = new ArrayList<>(hierarchies.v1().size());
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            // A thread that moves itself by "tasks" needs no global lock, as it would by "cgroup.procs"; the child has but one.
            files.add(hierarchies.v1().get(i).mount() + "/" + relative + "/tasks");
        }
        return files;
    }

    @Override
    public void freeze(boolean frozen) throws IOException {
        Path folder = folder("freezer");
        if (folder == null) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "the host has no cgroup controller freezer");
        }
        String wanted = frozen ? "FROZEN" : "THAWED";
        Path state = folder.resolve("freezer.state");
        // The kernel stays at FREEZING while a process forks; writing again makes it look again.
        for (int attempt = 0; attempt < 2000; attempt++) {
            CgroupFiles.write(state, wanted);
            if (CgroupFiles.read(state).equals(wanted)) return;
            java.util.concurrent.locks.LockSupport.parkNanos(500_000);
        }
        CgroupFiles.write(state, "THAWED");
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "unable to freeze " + relative);
    }

    @Override
    public boolean hasMembers() throws IOException {
        Path frozen = folder("freezer");
        return CgroupFiles.hasMembers(frozen != null ? frozen : hierarchies.v1().getFirst().mount().resolve(relative));
    }

    @Override
    public boolean isFrozen() throws IOException {
        Path folder = folder("freezer");
        return folder != null && !CgroupFiles.read(folder.resolve("freezer.state")).equals("THAWED");
    }

    @Override
    public void kill() throws IOException {
        Path frozen = folder("freezer");
        Path members = frozen != null ? frozen : hierarchies.v1().getFirst().mount().resolve(relative);
        if (Files.exists(members)) {
            CgroupFiles.killMembers(members);
            // A frozen process dies only once it may run again.
            if (frozen != null) CgroupFiles.write(frozen.resolve("freezer.state"), "THAWED");
        }
    }

    @Override
    public void destroy() throws IOException {
        kill();
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            CgroupFiles.remove(hierarchies.v1().get(i).mount().resolve(relative));
        }
    }

    @Override
    public Optional<Fd> watchOutOfMemory() throws IOException {
        Path folder = folder("memory");
        if (folder == null || !Files.exists(folder)) return Optional.empty();
        return Optional.of(CgroupEvents.announcedBy(folder, "memory.oom_control"));
    }

    @Override
    public long outOfMemoryKills() throws IOException {
        Path folder = folder("memory");
        if (folder == null) return 0;
        try {
            return CgroupFiles.field(folder.resolve("memory.oom_control"), "oom_kill");
        } catch (NoSuchFileException _) {
            return 0;
        }
    }
}
