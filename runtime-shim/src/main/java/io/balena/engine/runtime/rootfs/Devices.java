package io.balena.engine.runtime.rootfs;

import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;

import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Rows that fill the container's `/dev`.
final class Devices {
    private static final long AT_SYMLINK_NOFOLLOW = 0x100;

    private final SyscallProgram program;
    private final Destinations destinations;
    /// Blocks of rows that are only reached by jumps, to be added behind the program's end.
    private final List<Unmade> unmade = new ArrayList<>();

    /// @param after the row to go on with
    private record Unmade(int row, RuntimeSpec.Device device, int after) {}

    Devices(SyscallProgram program, Destinations destinations) {
        this.program = program;
        this.destinations = destinations;
    }

    /// What every container has, and the customary links.
    void addDefault() throws ContainerFailure {
        destinations.openFolder("/dev");
        addDefaultDevice("null", 1, 3);
        addDefaultDevice("zero", 1, 5);
        addDefaultDevice("full", 1, 7);
        addDefaultDevice("random", 1, 8);
        addDefaultDevice("urandom", 1, 9);
        addDefaultDevice("tty", 5, 0);
        destinations.addLinkBelow("fd", "/proc/self/fd");
        destinations.addLinkBelow("stdin", "/proc/self/fd/0");
        destinations.addLinkBelow("stdout", "/proc/self/fd/1");
        destinations.addLinkBelow("stderr", "/proc/self/fd/2");
        if (Files.exists(Path.of("/proc/kcore"))) destinations.addLinkBelow("core", "/proc/kcore");
        program.mayFail(program.add(Syscall.UNLINKAT, "unlink", "/dev/ptmx", destinations.target(), program.text("ptmx"), 0));
        destinations.addLinkBelow("ptmx", "pts/ptmx");
        destinations.closeTarget();
    }

    void add(RuntimeSpec.Device device) throws ContainerFailure {
        String path = device.path();
        if (path == null || !path.startsWith("/") || path.endsWith("/")) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "device path " + path + " is not an absolute path");
        }
        int slash = path.lastIndexOf('/');
        destinations.openFolder(slash == 0 ? "/" : path.substring(0, slash));
        add(path.substring(slash + 1), device);
        destinations.closeTarget();
    }

    private void addDefaultDevice(String name, long major, long minor) throws ContainerFailure {
        add(name, new RuntimeSpec.Device("/dev/" + name, "c", major, minor, null, null, null));
    }

    private void add(String name, RuntimeSpec.Device device) throws ContainerFailure {
        long mode = (device.fileMode() == null ? 0666 : device.fileMode() & 07777) | fileType(device);
        long path = program.text(name);
        long number = device.minor() & 0xff | (device.major() & 0xfff) << 8 | (device.minor() & ~0xffL) << 12;
        int row = program.add(Syscall.MKNODAT, "mknod", device.path(), destinations.target(), path, mode, number);
        int uid = device.uid() == null ? 0 : device.uid();
        int gid = device.gid() == null ? 0 : device.gid();
        if (uid != 0 || gid != 0) {
            program.add(Syscall.FCHOWNAT, "chown", device.path(), destinations.target(), path, uid & 0xFFFFFFFFL, gid & 0xFFFFFFFFL, AT_SYMLINK_NOFOLLOW);
        }
        unmade.add(new Unmade(row, device, program.next()));
    }

    private static long fileType(RuntimeSpec.Device device) throws ContainerFailure {
        return switch (device.type() == null ? "" : device.type()) {
            case "c", "u" -> FileStat.CHARACTER_DEVICE;
            case "b" -> FileStat.BLOCK_DEVICE;
            case "p" -> FileStat.FIFO;
            default -> throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "device " + device.path() + " has no valid type: " + device.type());
        };
    }

    /// Makes the container's terminal its `/dev/console`.
    ///
    /// @param terminal descriptor of the side that is not the master
    void addConsole(int terminal) {
        int create = destinations.create("create", "/dev/console");
        program.atLeast(create, terminal + 1);
        long flags = Destinations.OPEN_TREE_CLONE | Destinations.OPEN_TREE_CLOEXEC | Destinations.AT_EMPTY_PATH;
        program.add(Syscall.OPEN_TREE, "open terminal", "/dev/console", terminal, destinations.empty(), flags);
        destinations.attach("mount terminal on", "/dev/console", terminal + 2, terminal + 1);
        program.add(Syscall.CLOSE, "close", null, terminal + 2);
        program.add(Syscall.CLOSE, "close", null, terminal + 1);
    }

    /// To be called when the program's regular rows are complete.
    void addExceptions() {
        for (int i = 0; i < unmade.size(); i++) {
            var it = unmade.get(i);
            program.onFailure(it.row(), program.next());
            addUnmade(it);
        }
    }

    /// A device that is there already stays: `/dev` is the container's own, so one of the customary ones was asked for again. It
    /// is not opened for that, since opening a device can do things. Where devices cannot be made, as in a user namespace, the
    /// host's one is bound on the name.
    private void addUnmade(Unmade unmade) {
        String path = unmade.device().path();
        // The folder is still open, so the file takes the descriptor after it.
        int existing = destinations.openName("open device", path);
        destinations.closeTree();
        program.onFailure(program.addJump(), unmade.after());
        program.onFailure(existing, program.next());
        destinations.create("create device", path);
        program.add(Syscall.MOUNT, "bind device", path, program.text(path), destinations.treePath(), 0, MS_BIND, 0);
        destinations.closeTree();
        program.onFailure(program.addJump(), unmade.after());
    }
}
