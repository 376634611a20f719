package io.balena.engine.daemon.container.spec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/// The root file system of a container, seen from outside: symbolic links mean what they mean inside.
///
/// Nothing may change the tree while [#resolve] looks at it, so it is for containers that do not run; [#read] is for all.
public record ContainerRoot(Path path) {
    /// As in the kernel.
    private static final int MOST_LINKS = 40;

    /// Where `inside` lies on the host; what does not exist is taken literally.
    ///
    /// @param inside absolute, as the container sees it
    /// @throws FileSystemLoopException when there are too many symbolic links
    public Path resolve(String inside) throws IOException {
        Deque<String> left = new ArrayDeque<>();
        push(left, inside);
        Path at = path;
        for (int links = 0; !left.isEmpty(); ) {
            String name = left.pop();
            if (name.equals("..")) {
                at = at.equals(path) ? path : at.getParent();
                continue;
            }
            Path next = at.resolve(name);
            if (!Files.isSymbolicLink(next)) {
                at = next;
                continue;
            }
            if (++links > MOST_LINKS) throw new FileSystemLoopException(inside);
            String target = read(next);
            if (target.startsWith("/")) at = path;
            push(left, target);
        }
        return at;
    }

    /// Makes the folder and those above it where they are missing.
    ///
    /// @param owners says whose they are
    /// @throws java.nio.file.FileAlreadyExistsException when something else has that name
    public void makeDirectory(String inside, IdentityMapping owners) throws IOException {
        owners.makeDirectories(resolve(inside));
    }

    /// Who is meant by `name[:group]`, names or numbers, by the root's own files.
    ///
    /// @throws io.balena.engine.daemon.EngineException.InvalidRequest when a name is not in there
    public RuntimeSpec.User user(String name) throws IOException {
        return Users.of(this).resolve(name, List.of()).user();
    }

    /// The content of a regular file, whoever exchanges it or the folders above it meanwhile.
    ///
    /// @return empty when there is none, or it has more than `mostBytes`
    Optional<byte[]> read(String inside, long mostBytes) throws IOException {
        var files = new FileCalls();
        // Opening a device or a pipe does things, so what it is comes first.
        try (var root = Fd.open(path, OpenFlags.PATH | OpenFlags.DIRECTORY);
                var found = new Fd(files.openBy(root.number(), inside.getBytes(UTF_8), OpenFlags.PATH, OpenFlags.RESOLVE_IN_ROOT))) {
            FileStat stat = files.stat(found.number());
            if (!stat.isRegular() || stat.size() > mostBytes) return Optional.empty();
            return Optional.of(Files.readAllBytes(Path.of("/proc/self/fd/" + found.number())));
        } catch (ErrnoException e) {
            return switch (e.errno()) {
                case ENOENT, ENOTDIR, ELOOP -> Optional.empty();
                default -> throw e;
            };
        }
    }

    private static String read(Path link) throws IOException {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (NotLinkException e) {
            return link.getFileName().toString();
        }
    }

    private static void push(Deque<String> left, String names) {
        String[] parts = names.split("/");
        for (int i = parts.length - 1; i >= 0; i--) {
            if (!parts[i].isEmpty() && !parts[i].equals(".")) left.push(parts[i]);
        }
    }

    boolean isDirectory(String inside) throws IOException {
        return Files.isDirectory(resolve(inside), LinkOption.NOFOLLOW_LINKS);
    }
}
