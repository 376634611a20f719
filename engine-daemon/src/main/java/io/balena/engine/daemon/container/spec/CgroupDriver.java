package io.balena.engine.daemon.container.spec;

import java.util.Locale;

/// Who makes the control groups of containers, by `--exec-opt native.cgroupdriver`.
public enum CgroupDriver {
    CGROUPFS,
    SYSTEMD;

    /// @throws IllegalArgumentException with dockerd's words
    public static CgroupDriver named(String name) {
        for (CgroupDriver driver : values()) {
            if (driver.toString().equals(name)) return driver;
        }
        throw new IllegalArgumentException("native.cgroupdriver option " + name + " not supported");
    }

    /// @param parent of containers' groups; empty for the driver's own
    /// @throws IllegalArgumentException with dockerd's words
    public void checkParent(String parent) {
        if (this == CGROUPFS || parent.isEmpty()) return;
        if (parent.length() <= ".slice".length() || !parent.endsWith(".slice")) {
            throw new IllegalArgumentException("cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"");
        }
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
