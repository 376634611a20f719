package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Writes limits into the files of a control group and can take them back: a change that fails half way is no change.
final class CgroupWrites {
    /// What a file held before.
    private record Earlier(Path file, String value) {}

    /// Null when nothing is to be taken back.
    private final List<Earlier> earlier;

    private CgroupWrites(List<Earlier> earlier) {
        this.earlier = earlier;
    }

    /// Into a new group, which is removed as a whole when something fails.
    static CgroupWrites intoNewGroup() {
        return new CgroupWrites(null);
    }

    static CgroupWrites undoable() {
        return new CgroupWrites(new ArrayList<>());
    }

    /// @throws ContainerFailure worded as runc does
    void write(Path file, String value) throws IOException {
        if (earlier == null) {
            CgroupFiles.write(file, value);
            return;
        }
        String before = oneValue(file);
        CgroupFiles.write(file, value);
        if (before != null) earlier.add(new Earlier(file, before));
    }

    /// @return false where the kernel lacks the file
    boolean writeIfThere(Path file, String value) throws IOException {
        if (!Files.exists(file)) return false;
        write(file, value);
        return true;
    }

    /// Null for a file of lines, one for each device, of which one write changes but one.
    private static String oneValue(Path file) throws IOException {
        try {
            String text = CgroupFiles.read(file);
            return text.indexOf('\n') < 0 ? text : null;
        } catch (NoSuchFileException _) {
            return null;
        }
    }

    /// As far as the kernel allows; the last change first.
    void undo() {
        for (int i = earlier.size() - 1; i >= 0; i--) {
            try {
                // What is empty cannot be written: a list of processors, or of memory nodes, is as good as unset.
                if (!earlier.get(i).value().isEmpty()) CgroupFiles.write(earlier.get(i).file(), earlier.get(i).value());
            } catch (ContainerFailure _) {
                // The failure that led here is the one to tell.
            }
        }
    }
}
