package io.balena.engine.runtime;

import java.util.Optional;

/// Names a process the shim owns: a container's first process, or one that was `exec`ed into it.
public record ProcessKey(String containerId, Optional<String> execId) {
    public static ProcessKey container(String containerId) {
        return new ProcessKey(containerId, Optional.empty());
    }

    public static ProcessKey exec(String containerId, String execId) {
        return new ProcessKey(containerId, Optional.of(execId));
    }
}
