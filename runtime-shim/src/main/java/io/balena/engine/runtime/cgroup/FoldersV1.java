package io.balena.engine.runtime.cgroup;

import java.nio.file.Files;
import java.nio.file.Path;

/// Where the control groups of a container lie in the hierarchies of version 1.
///
/// @param relative below the root of each
record FoldersV1(Hierarchies hierarchies, String relative) {
    /// In the hierarchy of a controller, or null.
    Path of(String controller) {
        var hierarchy = hierarchies.with(controller);
        return hierarchy == null ? null : hierarchy.mount().resolve(relative);
    }

    /// In the hierarchy of version 2 of a machine that has both, or null.
    Path unified() {
        return hierarchies.unified() == null ? null : hierarchies.unified().resolve(relative);
    }

    boolean has(String controller, String file) {
        Path folder = of(controller);
        return folder != null && Files.exists(folder.resolve(file));
    }
}
