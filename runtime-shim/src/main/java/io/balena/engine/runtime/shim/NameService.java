package io.balena.engine.runtime.shim;

import io.balena.engine.dns.ContainerNames;
import io.balena.engine.dns.Resolver;
import io.balena.engine.runtime.loop.Diagnostics;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Optional;

/// Names of containers, which must be found while no daemon runs. Nothing of it is there before the first container has some.
///
/// The file `names` beside the runtime's state says the same to a shim that follows one that died.
final class NameService {
    private final File stateRoot;
    private final Diagnostics diagnostics;
    private Resolver resolver;

    NameService(File stateRoot, Diagnostics diagnostics) {
        this.stateRoot = stateRoot;
        this.diagnostics = diagnostics;
    }

    private synchronized Resolver resolver() throws IOException {
        if (resolver == null) resolver = new Resolver();
        return resolver;
    }

    private synchronized Optional<Resolver> known() {
        return Optional.ofNullable(resolver);
    }

    /// Runs a program, so it is for workers.
    ///
    /// @param encoded [ContainerNames#encode]; empty for a container that is to have no names any more
    void put(String container, int pid, byte[] encoded) throws IOException {
        if (encoded.length == 0) {
            remove(container);
            return;
        }
        resolver().put(ContainerNames.decode(container, encoded), pid);
        try (var out = new FileOutputStream(file(container))) {
            out.write(encoded);
        }
    }

    /// What an earlier shim was told of a container that runs on. For workers.
    void restore(String container, int pid) {
        try {
            if (!file(container).exists()) return;
            byte[] encoded;
            try (var in = new FileInputStream(file(container))) {
                encoded = in.readAllBytes();
            }
            if (encoded.length > 0) resolver().put(ContainerNames.decode(container, encoded), pid);
        } catch (IOException e) {
            diagnostics.error("the names of " + container + " are not found until the daemon says them again", e);
        }
    }

    void remove(String container) {
        file(container).delete();
        Optional<Resolver> known = known();
        if (known.isEmpty()) return;
        try {
            known.get().remove(container);
        } catch (IOException e) {
            diagnostics.error("the names of " + container + " stay", e);
        }
    }

    private File file(String container) {
        return new File(new File(stateRoot, container), "names");
    }
}
