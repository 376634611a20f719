package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Control groups that we make ourselves, as folders.
abstract sealed class CgroupOfFolders implements Cgroup permits CgroupV1, CgroupV2 {
    private final String relative;

    CgroupOfFolders(String relative) {
        this.relative = relative;
    }

    abstract Limits limits(CgroupWrites writes);

    /// Where its processes are looked for.
    abstract Path memberFolder();

    @Override
    public final String relative() {
        return relative;
    }

    /// Into a new group, which is removed as a whole when something fails.
    ///
    /// @param resources may be null
    final void setFirst(RuntimeSpec.Resources resources) throws IOException {
        if (resources == null) return;
        try {
            limits(CgroupWrites.intoNewGroup()).apply(resources);
        } catch (ContainerFailure e) {
            throw new ContainerFailure(e.kind(), "error setting cgroup config for procHooks process: " + e.getMessage());
        }
    }

    @Override
    public final void update(RuntimeSpec.Resources resources, Agreement also) throws IOException {
        var writes = CgroupWrites.undoable();
        try {
            limits(writes).apply(resources);
            also.ask();
        } catch (IOException | RuntimeException e) {
            writes.undo();
            throw e;
        }
    }

    @Override
    public final List<Integer> ownMembers() throws IOException {
        return CgroupFiles.ownMembers(memberFolder());
    }

    @Override
    public final List<Integer> members() throws IOException {
        return CgroupFiles.members(memberFolder());
    }

    @Override
    public final boolean hasMembers() throws IOException {
        return CgroupFiles.hasMembers(memberFolder());
    }
}
