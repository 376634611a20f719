package io.balena.engine.daemon.container.spec;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/// Those whose namespaces a container joins, by their first processes, and the shared memory that goes with one of them.
///
/// @param network empty when it has its own or the host's
/// @param ipc empty when it has its own or the host's
/// @param pid empty when it has its own or the host's
/// @param memory the folder on the host that is its `/dev/shm`; empty for one that nobody else sees
public record SharedNamespaces(OptionalInt network, OptionalInt ipc, OptionalInt pid, Optional<Path> memory) {
    /// Who owns the namespaces that are joined: a container that shares some must share the users, too, or it had no rights in them.
    OptionalInt users() {
        if (pid.isPresent()) return pid;
        return ipc.isPresent() ? ipc : network;
    }
}
