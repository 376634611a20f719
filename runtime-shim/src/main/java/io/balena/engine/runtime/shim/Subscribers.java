package io.balena.engine.runtime.shim;

import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.stream.Connection;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.util.ArrayList;
import java.util.List;

/// The daemons that want to hear what happens; usually one.
final class Subscribers {
    private final List<Connection> connections = new ArrayList<>();

    void add(Connection connection) {
        if (!connections.contains(connection)) connections.add(connection);
    }

    /// @return false when it was none
    boolean remove(Connection connection) {
        return connections.remove(connection);
    }

    boolean isEmpty() {
        return connections.isEmpty();
    }

    void exited(ProcessKey process, ExitStatus status) {
        send(exit(process, status));
    }

    void outOfMemory(String containerId) {
        send(Message.of(Protocol.OUT_OF_MEMORY).text(Protocol.Tag.CONTAINER_ID, containerId).encode());
    }

    static byte[] exit(ProcessKey process, ExitStatus status) {
        Message.Builder message = Protocol.withKey(Message.of(Protocol.EXITED), process);
        return Protocol.withStatus(message, status).encode();
    }

    private void send(byte[] event) {
        // Backwards, since one that is gone leaves the list.
        for (int i = connections.size() - 1; i >= 0; i--) connections.get(i).send(event);
    }
}
