package io.balena.engine.network;

import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// What carries the frames of a network: a bridge of the engine, or a link of the machine whose wire containers share.
sealed interface Segment permits BridgeSegment, ParentSegment {
    /// Puts a link into a container's namespace, configured and switched on.
    ///
    /// After a failure nothing of it is left.
    ///
    /// @param wayOut whether the container's default route leads through it
    void connect(Endpoint endpoint, NetworkNamespace container, boolean wayOut) throws IOException;

    /// Takes the link away. It is gone already when the container's namespace is.
    ///
    /// @param container empty when it is not known, or gone
    void disconnect(Endpoint endpoint, Optional<NetworkNamespace> container) throws IOException;

    /// What is known of containers by their links alone.
    List<Endpoint> connected() throws IOException;

    /// Keeps ports of the machine for an endpoint.
    ///
    /// @return as they were chosen; empty where none can be published
    List<PortBinding> reserve(Endpoint endpoint, List<PortBinding> ports) throws IOException;

    void publish(Endpoint endpoint) throws IOException;

    void withdraw(Endpoint endpoint) throws IOException;

    void release(List<PortBinding> ports);

    /// Takes up endpoints of an earlier daemon, and makes what is shared by all.
    void open(List<Endpoint> endpoints) throws IOException;

    /// Takes away all that [#open] and those before it have made.
    void remove() throws IOException;

    /// Leaves the segment to the containers.
    void close();
}
