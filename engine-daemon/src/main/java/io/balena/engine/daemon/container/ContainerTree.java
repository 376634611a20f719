package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.spec.ContainerRoot;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.TreeArchive;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.MountView;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/// The files of one container with what is mounted there from the host, for as long as this is open. The container may run, and
/// exchange whatever it likes: every path is resolved by the kernel with the container's root as root.
final class ContainerTree implements AutoCloseable {
    private static final long WITHIN = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;
    /// As in the kernel.
    private static final int MOST_LINKS = 40;

    private final String named;
    private final MountView mounts;
    private final ContainerLayer.View layer;
    private final Runnable afterwards;
    private final TreeArchive archive;
    private final FileCalls calls = new FileCalls();

    /// @param named what the client calls the container
    /// @param afterwards gives back what else was taken
    ContainerTree(String named, MountView mounts, ContainerLayer.View layer, IdentityMapping owners, Runnable afterwards) {
        this.named = named;
        this.mounts = mounts;
        this.layer = layer;
        this.afterwards = afterwards;
        this.archive = new TreeArchive(mounts.root(), owners);
    }

    PathStat stat(PathInContainer path) throws IOException {
        try (Fd folder = open(path.folder(), OpenFlags.PATH | OpenFlags.DIRECTORY)) {
            FileStat stat = calls.stat(folder.number(), path.name().getBytes(UTF_8));
            return new PathStat(path.called(), stat, stat.isSymlink() ? resolve(path) : "");
        } catch (ErrnoException e) {
            throw explained(e, path);
        }
    }

    /// A tar of the file, or of the folder and all it holds; it fails when the container is being removed.
    InputStream read(PathInContainer path) throws IOException {
        try (Fd folder = open(path.folder(), OpenFlags.PATH | OpenFlags.DIRECTORY)) {
            return layer.guard(archive.read(folder.number(), path.name().getBytes(UTF_8), path.called().getBytes(UTF_8)));
        } catch (ErrnoException e) {
            throw explained(e, path);
        }
    }

    /// The folder that `path` leads to, all links followed.
    ///
    /// @throws SystemFailure in Docker's words when it is no folder
    String folder(PathInContainer path) throws IOException {
        try (Fd found = open(path.text(), OpenFlags.PATH)) {
            if (!calls.stat(found.number()).isDirectory()) throw new SystemFailure("extraction point is not a directory", null);
            return resolve(path);
        } catch (ErrnoException e) {
            throw explained(e, path);
        }
    }

    /// Makes the files of a tar in a folder.
    ///
    /// @param folder as [#folder] gives it
    void write(InputStream tar, String folder, TreeArchive.Rules rules) throws IOException {
        archive.write(layer.guard(tar), folder, rules);
    }

    /// Whom a user's name means in this container.
    TreeArchive.Owner owner(String user) throws IOException {
        RuntimeSpec.User found = new ContainerRoot(Path.of("/proc/self/fd/" + mounts.root())).user(user);
        return new TreeArchive.Owner(found.uid(), found.gid());
    }

    private Fd open(String path, int flags) throws ErrnoException {
        return new Fd(calls.openBy(mounts.root(), path.getBytes(UTF_8), flags, WITHIN));
    }

    private EngineException explained(ErrnoException e, PathInContainer path) {
        return switch (e.errno()) {
            case ENOENT -> new NotFound("Could not find the file " + path.given() + " in container " + named);
            case ENOTDIR -> new SystemFailure("lstat " + path.text() + ": not a directory", e);
            case ELOOP -> tooManyLinks(path);
            default -> new SystemFailure(e.getMessage(), e);
        };
    }

    private static SystemFailure tooManyLinks(PathInContainer path) {
        return new SystemFailure("evalSymlinksInScope: too many links in " + path.text(), null);
    }

    /// What `path` leads to without any link; what does not exist is taken literally. What it finds is to be told to people, and is out
    /// of date when the container changes its links.
    private String resolve(PathInContainer path) throws IOException {
        Deque<String> left = new ArrayDeque<>();
        push(left, path.text());
        String at = "";
        for (int links = 0; !left.isEmpty(); ) {
            String name = left.pop();
            if (name.equals("..")) {
                at = at.substring(0, Math.max(0, at.lastIndexOf('/')));
                continue;
            }
            String next = at + "/" + name;
            Optional<String> link = link(next);
            if (link.isPresent() && ++links > MOST_LINKS) throw tooManyLinks(path);
            if (link.isEmpty()) at = next;
            else if (link.get().startsWith("/")) at = "";
            link.ifPresent(target -> push(left, target));
        }
        return at.isEmpty() ? "/" : at;
    }

    private static void push(Deque<String> left, String path) {
        List<String> names = Arrays.stream(path.split("/")).filter(name -> !name.isEmpty() && !name.equals(".")).toList();
        names.reversed().forEach(left::push);
    }

    private Optional<String> link(String path) throws IOException {
        try (Fd found = open(path, OpenFlags.PATH | OpenFlags.NOFOLLOW)) {
            boolean link = calls.stat(found.number()).isSymlink();
            return link ? Optional.of(new String(calls.readlink(found.number(), new byte[0]), UTF_8)) : Optional.empty();
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) throw e;
            return Optional.empty();
        }
    }

    @Override
    public void close() throws IOException {
        mounts.close();
        try {
            layer.close();
        } finally {
            afterwards.run();
        }
    }
}
