package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.bus.SystemBus;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Control groups that systemd has made for us, as a scope with the container's processes in it.
///
/// systemd is asked to begin, to change and to end; in between its groups are files like others, delegated to us.
///
/// @see <a href="https://systemd.io/CGROUP_DELEGATION/">Control Group APIs and Delegation</a>
final class CgroupOfSystemd implements Cgroup {
    private final Cgroup files;
    private final ScopeName name;
    private final SystemdScope scope;
    private final boolean unified;

    /// @param files the same groups, as folders
    CgroupOfSystemd(ScopeName name, Cgroup files, boolean unified) {
        this.name = name;
        this.files = files;
        this.scope = new SystemdScope(name, SystemBus.socket(), SystemdScope.PATIENCE);
        this.unified = unified;
    }

    @Override
    public String relative() {
        return files.relative();
    }

    @Override
    public boolean needsProcess() {
        return true;
    }

    @Override
    public void create(RuntimeSpec.Resources resources, int pid) throws IOException {
        String description = "container " + name.unit().substring(0, name.unit().length() - ".scope".length());
        scope.start(ScopeProperties.ofNew(name, description, pid, resources, unified));
        // systemd makes folders only for the controllers it uses itself.
        files.create(resources, pid);
    }

    @Override
    public void update(RuntimeSpec.Resources resources, Agreement also) throws IOException {
        files.update(resources, () -> {
            scope.change(ScopeProperties.ofChange(resources, unified));
            // systemd has written what it knows, and rounded it.
            files.update(resources, also);
        });
    }

    @Override
    public CgroupStats stats() throws IOException {
        return files.stats();
    }

    @Override
    public List<Integer> ownMembers() throws IOException {
        return files.ownMembers();
    }

    @Override
    public List<Integer> members() throws IOException {
        return files.members();
    }

    @Override
    public Optional<Path> birthplace() {
        return files.birthplace();
    }

    @Override
    public List<String> membershipFiles() {
        return files.membershipFiles();
    }

    @Override
    public void freeze(boolean frozen) throws IOException {
        files.freeze(frozen);
    }

    @Override
    public boolean hasMembers() throws IOException {
        return files.hasMembers();
    }

    @Override
    public boolean isFrozen() throws IOException {
        return files.isFrozen();
    }

    @Override
    public void kill() throws IOException {
        files.kill();
    }

    @Override
    public void destroy() throws IOException {
        files.kill();
        try {
            scope.stop();
        } finally {
            files.destroy();
        }
    }

    @Override
    public Optional<Fd> watchOutOfMemory() throws IOException {
        return files.watchOutOfMemory();
    }

    @Override
    public long outOfMemoryKills() throws IOException {
        return files.outOfMemoryKills();
    }
}
