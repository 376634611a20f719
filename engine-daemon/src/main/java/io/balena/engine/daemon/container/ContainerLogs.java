package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.log.ContainerLog;
import io.balena.engine.daemon.container.log.FileChanges;
import io.balena.engine.daemon.container.log.FileLog;
import io.balena.engine.daemon.container.log.JournalEntries;
import io.balena.engine.daemon.container.log.LogFormat;
import java.nio.file.Path;
import java.util.Optional;

/// Finds the logs of containers, to be read.
final class ContainerLogs {
    private final ContainerStore store;
    private final FileChanges changes;

    ContainerLogs(ContainerStore store, FileChanges changes) {
        this.store = store;
        this.changes = changes;
    }

    /// @return empty when its driver keeps nothing that could be read
    Optional<ContainerLog> of(ContainerRecord container) {
        Path folder = store.folder(container.id());
        return switch (container.host().logDriver()) {
            case "none" -> Optional.empty();
            case "local" -> Optional.of(file(container, LogSettings.localFile(folder), LogFormat.LOCAL));
            case "journald" -> JournalEntries.of(container.id().hex());
            default -> Optional.of(file(container, LogSettings.jsonFile(folder, container.id()), LogFormat.JSON_FILE));
        };
    }

    private ContainerLog file(ContainerRecord container, Path file, LogFormat format) {
        return new FileLog(file, LogSettings.files(container), format, changes);
    }
}
