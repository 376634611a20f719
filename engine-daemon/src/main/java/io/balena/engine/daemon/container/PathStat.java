package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.balena.engine.distribution.Rfc3339;
import io.balena.engine.linux.FileStat;
import java.time.Instant;
import java.util.Base64;

/// What clients are told of a file before its archive.
///
/// @param linkTarget what a symbolic link leads to, absolute in the container; empty for others
record PathStat(String name, FileStat stat, String linkTarget) {
    private static final long DIRECTORY = 1L << 31;
    private static final long SYMLINK = 1L << 27;
    private static final long DEVICE = 1L << 26;
    private static final long FIFO = 1L << 25;
    private static final long SOCKET = 1L << 24;
    private static final long SETUID = 1L << 23;
    private static final long SETGID = 1L << 22;
    private static final long CHARACTER_DEVICE = 1L << 21;
    private static final long STICKY = 1L << 20;

    /// The value of `X-Docker-Container-Path-Stat`.
    String header() {
        String json = JsonNodeFactory.instance.objectNode().put("name", name).put("size", stat.size()).put("mode", goMode())
                .put("mtime", Rfc3339.text(Instant.ofEpochSecond(stat.mtimeSeconds(), stat.mtimeNanos()))).put("linkTarget", linkTarget).toString();
        return Base64.getEncoder().encodeToString(json.getBytes(UTF_8));
    }

    /// As Go numbers types and permissions.
    ///
    /// @see <a href="https://pkg.go.dev/io/fs#FileMode">FileMode</a>
    private long goMode() {
        long type = switch (stat.type()) {
            case FileStat.DIRECTORY -> DIRECTORY;
            case FileStat.SYMLINK -> SYMLINK;
            case FileStat.BLOCK_DEVICE -> DEVICE;
            case FileStat.CHARACTER_DEVICE -> DEVICE | CHARACTER_DEVICE;
            case FileStat.FIFO -> FIFO;
            case FileStat.SOCKET -> SOCKET;
            default -> 0;
        };
        int mode = stat.permissions();
        return type | mode & 0777 | ((mode & 04000) != 0 ? SETUID : 0) | ((mode & 02000) != 0 ? SETGID : 0) | ((mode & 01000) != 0 ? STICKY : 0);
    }
}
