package io.balena.engine.daemon.network;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.network.NetworkRecord;
import java.io.IOException;

/// What networks need of containers.
public interface NetworkMembers {
    /// @throws io.balena.engine.daemon.EngineException.NotFound when there is no such container
    void require(String container);

    /// @param settings Docker's `EndpointConfig`; may be missing
    void connect(String container, NetworkRecord network, JsonNode settings) throws IOException;

    /// @param force also when there is no such container any more
    void disconnect(String container, NetworkRecord network, boolean force) throws IOException;

    /// Whether a container refers to the network, running or not.
    boolean isUsed(NetworkRecord network);
}
