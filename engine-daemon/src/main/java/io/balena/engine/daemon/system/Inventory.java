package io.balena.engine.daemon.system;

import java.util.List;
import java.util.Map;

/// What the engine holds, for those who only count it.
public interface Inventory {
    ContainerCounts containers();

    int images();

    /// Rows about the storage driver, in order, e.g. `Backing Filesystem` → `extfs`.
    List<Map.Entry<String, String>> driverStatus();

    record ContainerCounts(int running, int paused, int stopped) {
        int all() {
            return running + paused + stopped;
        }
    }
}
