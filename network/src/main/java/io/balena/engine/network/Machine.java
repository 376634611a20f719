package io.balena.engine.network;

import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.Rtnetlink;
import java.io.IOException;

/// The machine's side of the network: the namespace in which it was opened, and conversations with the kernel about it.
///
/// @param adding for everything but taking links away
/// @param removing for that: the kernel waits for its readers then, and making links should not wait with it
record Machine(NetworkNamespace namespace, Rtnetlink adding, Rtnetlink removing) implements AutoCloseable {
    static Machine open() throws IOException {
        var namespace = NetworkNamespace.current();
        Rtnetlink adding = null;
        try {
            adding = Rtnetlink.open();
            return new Machine(namespace, adding, Rtnetlink.open());
        } catch (IOException | RuntimeException e) {
            if (adding != null) adding.close();
            namespace.close();
            throw e;
        }
    }

    @Override
    public void close() {
        removing.close();
        adding.close();
        namespace.close();
    }
}
