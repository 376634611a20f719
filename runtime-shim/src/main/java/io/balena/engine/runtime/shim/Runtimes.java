package io.balena.engine.runtime.shim;

import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.container.ContainerRuntime;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.external.ExternalRuntime;
import io.balena.engine.runtime.external.ExternalState;
import io.balena.engine.runtime.process.ContainerProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// Which runtime a container has: the shim's own, or another one's program, which a later shim finds in the container's folder.
final class Runtimes {
    private final Path stateRoot;
    private final OciRuntime own;

    Runtimes(Path stateRoot) {
        this.stateRoot = stateRoot;
        this.own = new OciRuntime(stateRoot);
    }

    /// For a container that is to be made.
    ContainerRuntime named(Optional<RuntimeCommand> command) {
        if (command.isEmpty()) return own;
        return new ExternalRuntime(stateRoot, command.get());
    }

    /// For a container that an earlier shim may have made.
    ContainerRuntime of(String id) {
        ExternalState state = ExternalState.of(stateRoot, id);
        return state.exists() ? new ExternalRuntime(stateRoot, state.command()) : own;
    }

    /// Containers whose first process still lives, whoever made them.
    Map<String, ContainerProcess> recover() throws IOException {
        return own.recover();
    }
}
