package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The places of the host that containers want to see, before one is started.
final class BindSources {
    private BindSources() {}

    /// @param owners says whose those are that are made
    /// @throws InvalidRequest in Docker's words when one is missing and not to be made
    static void prepare(List<MountPoint> mounts, IdentityMapping owners) throws IOException {
        for (MountPoint mount : mounts) {
            if (mount.type() != MountPoint.Type.BIND) continue;
            Path source = Path.of(mount.source());
            if (!Files.exists(source)) {
                if (!mount.createSource()) {
                    throw new InvalidRequest("invalid mount config for type \"bind\": bind source path does not exist: " + source);
                }
                make(source, owners);
            }
            if (mount.propagation().endsWith("shared")) requirePropagation(source, "a shared mount", "shared:");
            if (mount.propagation().endsWith("slave")) requirePropagation(source, "a shared or slave mount", "shared:", "master:");
        }
    }

    private static void make(Path source, IdentityMapping owners) throws IOException {
        try {
            owners.makeDirectories(source);
        } catch (FileSystemException e) {
            // What is there is no folder.
            String reason = e instanceof FileAlreadyExistsException || e.getReason() == null ? "Not a directory" : e.getReason();
            String why = Character.toLowerCase(reason.charAt(0)) + reason.substring(1);
            throw new SystemFailure("error while creating mount source path '" + source + "': mkdir " + e.getFile() + ": " + why, e);
        }
    }

    /// Nothing arrives through a mount that is private on the host; Docker says so instead of leaving it at that.
    ///
    /// @param marks one of which must be among the optional fields of the mount the source is on
    /// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html">proc_pid_mountinfo(5)</a>
    private static void requirePropagation(Path source, String what, String... marks) throws IOException {
        Path real = source.toRealPath();
        Path on = Path.of("/");
        String optional = "";
        for (String line : KernelFile.lines(Path.of("/proc/self/mountinfo"))) {
            String[] fields = line.split(" ");
            Path point = Path.of(unescaped(fields[4]));
            // Of several at one place the last is seen.
            if (!real.startsWith(point) || point.getNameCount() < on.getNameCount()) continue;
            on = point;
            optional = line.substring(0, line.indexOf(" - "));
        }
        for (String mark : marks) if (optional.contains(" " + mark)) return;
        throw new SystemFailure("path " + source + " is mounted on " + on + " but it is not " + what, null);
    }

    private static String unescaped(String field) {
        if (field.indexOf('\\') < 0) return field;
        String bytes = field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
        return new String(bytes.getBytes(ISO_8859_1), UTF_8);
    }
}
