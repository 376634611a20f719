package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.CgroupEvents;
import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Control groups of version 2: one folder.
final class CgroupV2 extends CgroupOfFolders {
    private final Path root;
    private final Path folder;

    CgroupV2(Hierarchies hierarchies, String relative) {
        super(relative);
        this.root = hierarchies.unified() == null ? Path.of("/sys/fs/cgroup") : hierarchies.unified();
        this.folder = root.resolve(relative);
    }

    @Override
    public void create(RuntimeSpec.Resources resources, int pid) throws IOException {
        enableControllers();
        CgroupFiles.makeFolders(root, relative());
        setFirst(resources);
    }

    @Override
    Limits limits(CgroupWrites writes) {
        return new LimitsV2(folder, writes);
    }

    @Override
    public CgroupStats stats() throws IOException {
        return new StatsV2(folder).read();
    }

    @Override
    Path memberFolder() {
        return folder;
    }

    /// A controller works in a group only when every group above hands it down.
    private void enableControllers() throws IOException {
        Path parent = root;
        String[] names = relative().split("/");
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

    private void set(String file, String value) throws IOException {
        CgroupFiles.write(folder.resolve(file), value);
    }

    private boolean setIfThere(String file, String value) throws IOException {
        if (!Files.exists(folder.resolve(file))) return false;
        set(file, value);
        return true;
    }

    @Override
    public Optional<Path> birthplace() {
        return Optional.of(folder);
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
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "unable to freeze " + relative());
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
