package io.balena.engine.graphdriver;

import java.util.Arrays;

/// Names in a tar, made into paths below the layer's root.
final class TarPath {
    private TarPath() {}

    /// Sets `path` and `isDot` from `name`.
    static void clean(TarEntry entry) {
        boolean[] leaves = new boolean[1];
        entry.path = clean(entry.name, leaves);
        boolean absolute = entry.name.length > 0 && entry.name[0] == '/';
        entry.isDot = entry.path.length == 0 && !absolute && !leaves[0];
    }

    /// The path that `name` leads to below a root that has nothing above it: `/` and `..` stop there, as they do for a process
    /// whose root it is.
    static byte[] clean(byte[] name) {
        return clean(name, new boolean[1]);
    }

    /// Whether a relative name leads above where it starts.
    static boolean leaves(byte[] name) {
        if (name.length > 0 && name[0] == '/') return false;
        boolean[] leaves = new boolean[1];
        clean(name, leaves);
        return leaves[0];
    }

    private static byte[] clean(byte[] name, boolean[] leaves) {
        if (isClean(name)) return name;
        byte[] out = new byte[name.length];
        int length = 0;
        for (int at = 0; at < name.length; ) {
            int end = at;
            while (end < name.length && name[end] != '/') end++;
            int size = end - at;
            if (size == 2 && name[at] == '.' && name[at + 1] == '.') {
                if (length == 0) leaves[0] = true;
                while (length > 0 && out[--length] != '/') {}
            } else if (size > 0 && !(size == 1 && name[at] == '.')) {
                if (length > 0) out[length++] = '/';
                System.arraycopy(name, at, out, length, size);
                length += size;
            }
            at = end + 1;
        }
        return Arrays.copyOf(out, length);
    }

    private static boolean isClean(byte[] name) {
        boolean atStart = true;
        for (byte b : name) {
            if (atStart && (b == '/' || b == '.')) return false;
            atStart = b == '/';
        }
        return !atStart;
    }
}
