package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.ProcessId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Children of a program that was quicker than the runtime.
///
/// A process gets its place in the order of those the kernel kills only after its execve (`ProcessSetup.adjustOomScore`). What it started
/// before that has inherited the shim's, whom the kernel is never to kill; were it left so, the kernel would kill the container's first
/// process instead of the child that takes the memory.
public final class OomHeirs {
    private OomHeirs() {}

    /// Gives those of `process` its own value.
    public static void correct(Cgroup cgroup, ProcessId process) throws IOException {
        String ours = null;
        String theirs = null;
        // A child that still has our value may start another meanwhile.
        for (boolean found = true; found; ) {
            found = false;
            List<Integer> members = cgroup.ownMembers();
            if (members.size() < 2) return;
            if (ours == null) {
                ours = value("self");
                theirs = value(Integer.toString(process.pid()));
                if (theirs == null || theirs.equals(ours)) return;
            }
            for (int pid : members) {
                if (pid == process.pid() || !ours.equals(value(Integer.toString(pid)))) continue;
                // Who is older may have chosen that value.
                Optional<ProcessId> heir = ProcessId.of(pid);
                if (heir.isEmpty() || heir.get().startTicks() < process.startTicks()) continue;
                found |= set(pid, theirs);
            }
        }
    }

    private static Path file(String pid) {
        return Path.of("/proc/" + pid + "/oom_score_adj");
    }

    /// Null when it has ended.
    private static String value(String pid) throws IOException {
        try {
            return CgroupFiles.read(file(pid));
        } catch (NoSuchFileException _) {
            return null;
        }
    }

    /// @return false when it has ended
    private static boolean set(int pid, String value) {
        try {
            Files.writeString(file(Integer.toString(pid)), value);
            return true;
        } catch (IOException _) {
            return false;
        }
    }
}
