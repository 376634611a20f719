package io.balena.engine.daemon.container;

import io.balena.engine.graphdriver.TreeRemoval;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Which containers are frozen only while their files are read. The kernel does not tell why one is frozen: an engine that is killed
/// meanwhile leaves a mark, by which the next one knows whom to let go on.
///
/// @param folder on a tmpfs: after a power cut nothing is frozen
record FreezeMarks(Path folder) {
    void set(ContainerId id) throws IOException {
        Files.createDirectories(folder);
        Files.write(folder.resolve(id.hex()), new byte[0]);
    }

    boolean isSet(ContainerId id) {
        return Files.exists(folder.resolve(id.hex()));
    }

    void clear(ContainerId id) throws IOException {
        Files.deleteIfExists(folder.resolve(id.hex()));
    }

    void clearAll() throws IOException {
        TreeRemoval.remove(folder);
    }
}
