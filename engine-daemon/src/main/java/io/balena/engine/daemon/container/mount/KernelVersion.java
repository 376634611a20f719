package io.balena.engine.daemon.container.mount;

/// A release of Linux, e.g. 5.12.
record KernelVersion(int major, int minor) {
    static KernelVersion ofThisMachine() {
        return parse(System.getProperty("os.version", ""));
    }

    /// @param release as uname(1) prints it, e.g. `6.1.0-18-amd64`; anything else counts as very old
    static KernelVersion parse(String release) {
        String[] parts = release.split("[^0-9]+", 3);
        try {
            return new KernelVersion(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            return new KernelVersion(0, 0);
        }
    }

    boolean atLeast(int otherMajor, int otherMinor) {
        return major > otherMajor || major == otherMajor && minor >= otherMinor;
    }
}
