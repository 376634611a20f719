package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountPoint;
import java.time.Instant;
import java.util.List;

/// One container, as stored. Replaced whole, never edited in place.
///
/// @param name without a slash
/// @param image its id, `sha256:…`
/// @param config merged with the image's
/// @param restarts by the restart policy, since the last start by a user
/// @param started it ran at least once
/// @param stoppedByUser it is not to be restarted by `unless-stopped`
/// @param logPath of a json-file log; empty for others
/// @param others fields of the file that we do not know; written back as they are
record ContainerRecord(ContainerId id, Instant created, String name, String image, ContainerConfig config, HostConfig host,
        ContainerState state, List<MountPoint> mounts, NetworkSettings network, int restarts, boolean started, boolean stoppedByUser,
        String logPath, ObjectNode others) {

    ContainerRecord with(ContainerState next) {
        return new ContainerRecord(id, created, name, image, config, host, next, mounts, network, restarts, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord with(NetworkSettings next) {
        return new ContainerRecord(id, created, name, image, config, host, state, mounts, next, restarts, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord with(HostConfig next) {
        return new ContainerRecord(id, created, name, image, config, next, state, mounts, network, restarts, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord with(ContainerConfig next) {
        return new ContainerRecord(id, created, name, image, next, host, state, mounts, network, restarts, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord named(String next) {
        return new ContainerRecord(id, created, next, image, config, host, state, mounts, network, restarts, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord restarted(int times) {
        return new ContainerRecord(id, created, name, image, config, host, state, mounts, network, times, started, stoppedByUser, logPath,
                others);
    }

    ContainerRecord wasStarted() {
        return new ContainerRecord(id, created, name, image, config, host, state, mounts, network, restarts, true, stoppedByUser, logPath,
                others);
    }

    ContainerRecord loggingTo(String path) {
        return new ContainerRecord(id, created, name, image, config, host, state, mounts, network, restarts, started, stoppedByUser, path,
                others);
    }

    ContainerRecord stoppedByUser(boolean stopped) {
        return new ContainerRecord(id, created, name, image, config, host, state, mounts, network, restarts, started, stopped, logPath,
                others);
    }
}
