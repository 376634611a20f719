package io.balena.engine.daemon.container;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;

/// Has the shim forget a container whatever it knows of it: a shim that died in the middle of something leaves the next one a process
/// that is about to end, or the traces of one.
record Disposal(Shim shim) {
    /// So many may die meanwhile.
    private static final int SHIMS = 3;

    void of(String containerId) throws IOException {
        for (int lost = 1; ; lost++) {
            try {
                shim.remove(containerId);
                return;
            } catch (ContainerFailure e) {
                throw e;
            } catch (IOException e) {
                if (lost == SHIMS) throw e; // else the next attempt finds another shim
            }
        }
    }
}
