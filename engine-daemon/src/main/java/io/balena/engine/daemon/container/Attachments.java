package io.balena.engine.daemon.container;

import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.client.AttachedStream;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// Clients that attach to a container before it runs, as `docker run` does so as to miss nothing.
final class Attachments {
    private final ProcessKey process;
    private final List<Waiting> waiting = new ArrayList<>();

    Attachments(String containerId) {
        this.process = ProcessKey.container(containerId);
    }

    private record Waiting(boolean stdin, boolean stdout, boolean stderr, CompletableFuture<AttachedStream> stream) {}

    /// The stream, once the container has been set up. Fails when it cannot be started.
    synchronized CompletableFuture<AttachedStream> await(boolean stdin, boolean stdout, boolean stderr) {
        var stream = new CompletableFuture<AttachedStream>();
        waiting.add(new Waiting(stdin, stdout, stderr, stream));
        return stream;
    }

    /// Attaches those who wait; between set-up and start.
    void attachAll(Shim shim) throws IOException {
        for (Waiting each : take()) {
            if (each.stream.isDone()) continue; // gave up
            AttachedStream stream = shim.attach(process, each.stdin, each.stdout, each.stderr);
            if (!each.stream.complete(stream)) stream.close();
        }
    }

    void failAll(IOException reason) {
        for (Waiting each : take()) each.stream.completeExceptionally(reason);
    }

    private synchronized List<Waiting> take() {
        List<Waiting> all = List.copyOf(waiting);
        waiting.clear();
        return all;
    }
}
