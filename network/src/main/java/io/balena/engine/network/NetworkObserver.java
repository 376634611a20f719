package io.balena.engine.network;

import java.io.IOException;

/// Is told which containers are on which networks, and can so answer for their names.
///
/// Called under the container's lock: changes of one container come one after the other, those of several at once.
public interface NetworkObserver {
    /// All links are there, and the container's program has not begun; or a restarted engine has found it running.
    ///
    /// @throws IOException fails the container's start
    void opened(Sandbox sandbox) throws IOException;

    /// It was connected, disconnected, or renamed.
    void changed(Sandbox sandbox);

    /// Its namespace is gone, or about to go.
    void closed(String containerId);

    /// For engines without names.
    NetworkObserver NONE = new NetworkObserver() {
        @Override
        public void opened(Sandbox sandbox) {}

        @Override
        public void changed(Sandbox sandbox) {}

        @Override
        public void closed(String containerId) {}
    };
}
