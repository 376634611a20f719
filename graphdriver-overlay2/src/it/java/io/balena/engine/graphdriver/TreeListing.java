package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;

/// All that a file system tells of a tree, a line for each name: type and mode, owner, device, time of modification in nanoseconds,
/// size, the number of names and the first of them, link target, content, attributes.
final class TreeListing {
    private static final String PROGRAM = """
            import hashlib, os, stat, sys, time
            os.chdir(sys.argv[1]); since = int(sys.argv[2]); first = {}
            def show(path, name):
                s = os.lstat(path); kind = stat.S_IFMT(s.st_mode); is_dir = kind == stat.S_IFDIR
                key = (s.st_dev, s.st_ino); first.setdefault(key, name)
                line = [repr(name)[1:], oct(s.st_mode), s.st_uid, s.st_gid, hex(s.st_rdev)]
                line.append(s.st_mtime_ns if s.st_mtime_ns < since or s.st_mtime_ns > time.time_ns() else 'just now')
                line += [] if is_dir else [s.st_size, s.st_nlink, 'is ' + repr(first[key])[1:]]
                if kind == stat.S_IFLNK: line.append('-> ' + repr(os.readlink(path))[1:])
                if kind == stat.S_IFREG: line.append(hashlib.sha256(open(path, 'rb').read()).hexdigest()[:16])
                line += [x + '=' + os.getxattr(path, x, follow_symlinks=False).hex()
                         for x in sorted(os.listxattr(path, follow_symlinks=False))]
                print(*line)
                if is_dir:
                    for child in sorted(os.listdir(path)): show(name + b'/' + child if name else child, name + b'/' + child if name else child)
            show(b'.', b'')
            """;

    private TreeListing() {}

    /// @param since modifications after this moment are the test's own, and not told apart
    static String of(Path tree, Instant since) throws IOException {
        Machine.needs("python3");
        return Machine.sh("python3 - '" + tree + "' " + since.toEpochMilli() + "000000 <<'EOF'\n" + PROGRAM + "EOF\n");
    }
}
