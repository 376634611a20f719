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

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
