package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.CgroupEvents;
import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Control groups of version 1: a folder of the same name in every hierarchy.
final class CgroupV1 extends CgroupOfFolders {
    private final Hierarchies hierarchies;
    private final FoldersV1 folders;

    CgroupV1(Hierarchies hierarchies, String relative) {
        super(relative);
        this.hierarchies = hierarchies;
        this.folders = new FoldersV1(hierarchies, relative);
    }

    @Override
    public void create(RuntimeSpec.Resources resources, int pid) throws IOException {
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            var hierarchy = hierarchies.v1().get(i);
            CgroupFiles.makeFolders(hierarchy.mount(), relative());
            if (hierarchy.has("cpuset")) inheritCpuset(hierarchy.mount(), hierarchy.mount().resolve(relative()));
        }
        if (needsUnified(resources)) CgroupFiles.makeFolders(hierarchies.unified(), relative());
        setFirst(resources);
    }

    @Override
    Limits limits(CgroupWrites writes) {
        return new LimitsV1(folders, writes);
    }

    @Override
    public CgroupStats stats() throws IOException {
        return new StatsV1(folders).read();
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

    /// On a machine with both versions that of version 2 has few controllers or none, and to join a group there takes tens of
    /// milliseconds: the kernel waits until no process anywhere is being started.
    private boolean needsUnified(RuntimeSpec.Resources resources) {
        return resources != null && !resources.hugepageLimits().isEmpty() && folders.of("hugetlb") == null && folders.unified() != null;
    }

    private Path folder(String controller) {
        return folders.of(controller);
    }

    /// They are members of every hierarchy.
    @Override
    Path memberFolder() {
        Path frozen = folder("freezer");
        return frozen != null ? frozen : hierarchies.v1().getFirst().mount().resolve(relative());
    }

    @Override
    public List<String> membershipFiles() {
        List<String> files = new ArrayList<>(hierarchies.v1().size());
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            // A thread that moves itself by "tasks" needs no global lock, as it would by "cgroup.procs"; the child has but one.
            files.add(hierarchies.v1().get(i).mount() + "/" + relative() + "/tasks");
        }
        Path unified = folders.unified();
        if (unified != null && Files.exists(unified)) files.add(unified + "/cgroup.procs");
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
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "unable to freeze " + relative());
    }

    @Override
    public boolean isFrozen() throws IOException {
        Path folder = folder("freezer");
        return folder != null && !CgroupFiles.read(folder.resolve("freezer.state")).equals("THAWED");
    }

    @Override
    public void kill() throws IOException {
        Path frozen = folder("freezer");
        Path members = memberFolder();
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
            CgroupFiles.remove(hierarchies.v1().get(i).mount().resolve(relative()));
        }
        if (folders.unified() != null) CgroupFiles.remove(folders.unified());
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
