package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.LinkedHashMap;
import java.util.Map;

/// One member of a tar, its extended headers already merged in. Filled by [TarParser], read-only afterwards.
final class TarEntry implements Step {
    static final byte REGULAR = '0';
    static final byte HARD_LINK = '1';
    static final byte SYMLINK = '2';
    static final byte CHARACTER_DEVICE = '3';
    static final byte BLOCK_DEVICE = '4';
    static final byte DIRECTORY = '5';
    static final byte FIFO = '6';

    byte type;
    /// As it stands in the tar, in no particular encoding.
    byte[] name;
    /// The name below the layer's root: no leading slash, no `.`, no `..`; empty for the root.
    byte[] path;
    byte[] linkName;
    int mode;
    int uid;
    int gid;
    /// Bytes of the file once it is on disk.
    long size;
    long mtimeSeconds;
    int mtimeNanos;
    long atimeSeconds = Long.MIN_VALUE;
    int atimeNanos;
    int deviceMajor;
    int deviceMinor;
    /// Values by attribute name; null when there are none.
    Map<String, byte[]> xattrs;
    /// The file has holes.
    boolean sparse;
    /// Bytes of content that follow in the tar; less than `size` for a sparse file.
    long stored;

    /// True for the names `.` and `./`, by which archivers name the folder that they were started in.
    boolean isDot;

    void putXattr(String attribute, byte[] value) {
        if (xattrs == null) xattrs = new LinkedHashMap<>();
        xattrs.put(attribute, value);
    }

    /// When it was read last, as far as it is told; never before it was written.
    long accessSeconds() {
        return isReadLater() ? atimeSeconds : mtimeSeconds;
    }

    int accessNanos() {
        return isReadLater() ? atimeNanos : mtimeNanos;
    }

    private boolean isReadLater() {
        return atimeSeconds > mtimeSeconds || atimeSeconds == mtimeSeconds && atimeNanos > mtimeNanos;
    }

    boolean isDirectory() {
        return type == DIRECTORY;
    }

    boolean isRegular() {
        return type == REGULAR;
    }

    @Override
    public String toString() {
        return new String(name, UTF_8);
    }
}
