package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;

/// A container's scope unit, as `slice:prefix:name` in the `cgroupsPath` of its bundle names it.
///
/// @param slice e.g. `system.slice`
/// @param unit e.g. `docker-<id>.scope`
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/systemd.slice.html">systemd.slice(5)</a>
record ScopeName(String slice, String unit) {
    /// Whether it is such a path; else it is that of a folder.
    static boolean isMeant(String cgroupsPath) {
        return !cgroupsPath.startsWith("/") && cgroupsPath.split(":", -1).length == 3;
    }

    /// The path of a container whose groups systemd is to make whatever its bundle says.
    ///
    /// @param given by the bundle; may be null
    /// @throws ContainerFailure when it names no scope; worded as runc does
    static String require(String given, String id) throws ContainerFailure {
        String path = given == null || given.isEmpty() ? ":runc:" + id : given;
        parse(path);
        return path;
    }

    /// @throws ContainerFailure worded as runc does
    static ScopeName parse(String cgroupsPath) throws ContainerFailure {
        String[] parts = cgroupsPath.split(":", -1);
        if (parts.length != 3) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP,
                    "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"" + cgroupsPath + "\" instead");
        }
        String slice = parts[0].isEmpty() ? "system.slice" : parts[0];
        checkSlice(slice);
        String name = (parts[1].isEmpty() ? "" : parts[1] + "-") + parts[2] + ".scope";
        if (parts[2].isEmpty() || name.indexOf('/') >= 0) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid scope name: " + name);
        }
        return new ScopeName(slice, name);
    }

    private static void checkSlice(String slice) throws ContainerFailure {
        if (slice.equals("-.slice")) return;
        boolean valid = slice.endsWith(".slice") && slice.length() > ".slice".length() && slice.indexOf('/') < 0;
        String name = valid ? slice.substring(0, slice.length() - ".slice".length()) : "";
        if (!valid || name.startsWith("-") || name.endsWith("-") || name.contains("--")) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid slice name: " + slice);
        }
    }

    /// Its folder below the root of each hierarchy: `a-b.slice` lies in `a.slice`.
    String folder() {
        var folder = new StringBuilder();
        if (!slice.equals("-.slice")) {
            String name = slice.substring(0, slice.length() - ".slice".length());
            for (int dash = name.indexOf('-'); dash >= 0; dash = name.indexOf('-', dash + 1)) {
                folder.append(name, 0, dash).append(".slice/");
            }
            folder.append(slice).append('/');
        }
        return folder.append(unit).toString();
    }
}
