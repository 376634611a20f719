package io.balena.engine.daemon.container;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.io.InterruptedIOException;

/// Has the shim forget a container whatever it knows of it: a shim that died in the middle of something leaves the next one a process
/// that is about to end, or the traces of one.
record Disposal(Shim shim) {
    private static final int ATTEMPTS = 200;
    private static final int PAUSE_MILLIS = 10;
    /// So many may die meanwhile.
    private static final int SHIMS = 3;

    void of(String containerId) throws IOException {
        ProcessKey process = ProcessKey.container(containerId);
        int lost = 0;
        for (int attempt = 1; ; attempt++) {
            try {
                shim.delete(process);
                return;
            } catch (ContainerFailure e) {
                if (attempt == ATTEMPTS) throw e;
                end(process);
            } catch (IOException e) {
                if (++lost == SHIMS) throw e; // else the next attempt finds another shim
            }
        }
    }

    private void end(ProcessKey process) throws IOException {
        try {
            shim.kill(process, Signal.KILL.number());
        } catch (ContainerFailure e) {
            // It has ended meanwhile.
        }
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            throw new InterruptedIOException("interrupted while a container was being ended");
        }
    }
}
