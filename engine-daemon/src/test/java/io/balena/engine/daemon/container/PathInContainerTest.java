package io.balena.engine.daemon.container;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PathInContainerTest {
    /// As dockerd 20.10 takes them, seen in what it calls them and where it looks.
    @ParameterizedTest
    @CsvSource({
        "/data/file, /data/, file, file",
        "data/file, /data/, file, file",
        "/data/, /data/, ., data",
        "/data//, /data/, ., data",
        "/data/., /data/, ., .",
        "/data/./, /data/./, ., .",
        "/data/.., /, ., /",
        "/data/../etc, /, etc, etc",
        "../../etc/passwd, /etc/, passwd, passwd",
        "/, /, ., /",
        "., /, ., .",
        "/data/..., /data/, ..., ...",
        "/data/a., /data/, a., a.",
    })
    void aPathSaysWhichFolderItIsInAndWhatItIsCalled(String given, String folder, String name, String called) {
        var path = PathInContainer.of(given);
        assertEquals(folder + " " + name + " " + called, path.folder() + " " + path.name() + " " + path.called());
    }
}
