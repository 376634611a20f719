package io.balena.engine.graphdriver;

import io.balena.engine.linux.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// A folder for one test that needs root. What is still mounted in it at the end is unmounted, then all of it removed.
final class ScratchFolder implements BeforeEachCallback, AfterEachCallback {
    private Path path;

    Path path() {
        return path;
    }

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        Machine.needsRoot();
        path = Files.createTempDirectory("graphdriver-it-").toRealPath();
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        if (path == null) return;
        List<String> below = Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                .map(line -> line.split(" ")[4]).filter(target -> target.startsWith(path + "/")).toList();
        for (String target : below.reversed()) Mounts.detach(Path.of(target));
        TreeRemoval.remove(path);
    }

    @Override
    public String toString() {
        return String.valueOf(path);
    }
}
