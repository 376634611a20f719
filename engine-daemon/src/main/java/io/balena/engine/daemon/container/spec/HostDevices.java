package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.runtime.spec.RuntimeSpec.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Devices of the host that containers are given.
final class HostDevices {
    private static final int TYPE_MASK = 0170000;
    private static final int CHARACTER = 0020000;
    private static final int BLOCK = 0060000;
    private static final Path DEV = Path.of("/dev");
    /// What every container has of its own, and what holds no devices.
    private static final Set<String> SKIPPED = Set.of("pts", "ptmx", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console",
            "null", "zero", "full", "random", "urandom", "tty");

    private HostDevices() {}

    /// What a `Devices` entry names: one device, or all in a folder.
    ///
    /// @throws InvalidRequest with Docker's words when there is none
    static List<Device> requested(JsonNode mapping) {
        Path onHost = Path.of(mapping.path("PathOnHost").asText(""));
        String inside = mapping.path("PathInContainer").asText("");
        if (inside.isEmpty()) inside = onHost.toString();
        String context = "error gathering device information while adding custom device \"" + onHost + "\": ";
        try {
            Path real = onHost.toRealPath();
            if (!Files.isDirectory(real)) {
                Device device = device(real, inside);
                if (device == null) throw new InvalidRequest(context + "not a device node");
                return List.of(device);
            }
            List<Device> all = new ArrayList<>();
            collect(real, inside, all);
            return all;
        } catch (NoSuchFileException e) {
            throw new InvalidRequest(context + "no such file or directory");
        } catch (IOException e) {
            throw new InvalidRequest(context + e.getMessage());
        }
    }

    /// All there are, for privileged containers.
    static List<Device> all() throws IOException {
        List<Device> all = new ArrayList<>();
        collect(DEV, DEV.toString(), all);
        return all;
    }

    private static void collect(Path folder, String inside, List<Device> into) throws IOException {
        try (var entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (folder.equals(DEV) && SKIPPED.contains(name) || Files.isSymbolicLink(entry)) continue;
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    collect(entry, inside + "/" + name, into);
                    continue;
                }
                try {
                    Device device = device(entry, inside + "/" + name);
                    if (device != null) into.add(device);
                } catch (NoSuchFileException e) {
                    // Unplugged meanwhile.
                }
            }
        }
    }

    /// @return null when it is no device
    static Device device(Path path, String inside) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(path, "unix:mode,rdev,uid,gid", LinkOption.NOFOLLOW_LINKS);
        int mode = (Integer) attributes.get("mode");
        int type = mode & TYPE_MASK;
        if (type != CHARACTER && type != BLOCK) return null;
        long number = (Long) attributes.get("rdev");
        return new Device(inside, type == BLOCK ? "b" : "c", major(number), minor(number), mode & 0777, (Integer) attributes.get("uid"),
                (Integer) attributes.get("gid"));
    }

    /// @see <a href="https://man7.org/linux/man-pages/man3/makedev.3.html">makedev(3), glibc's layout</a>
    static long major(long device) {
        return device >>> 8 & 0xfff | device >>> 32 & 0xfffff000L;
    }

    static long minor(long device) {
        return device & 0xff | device >>> 12 & 0xffffff00L;
    }
}
