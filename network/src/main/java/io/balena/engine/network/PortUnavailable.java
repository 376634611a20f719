package io.balena.engine.network;

import java.io.IOException;

/// A port that cannot be published: taken, or on an address that is not this machine's.
///
/// Docker names the container in front of it; [#messageFor] puts the two together.
public final class PortUnavailable extends IOException {
    private static final long serialVersionUID = 1L;

    private final String endpointId;

    PortUnavailable(String endpointId, String reason, Throwable cause) {
        super(reason, cause);
        this.endpointId = endpointId;
    }

    /// @param containerName without a slash
    public String messageFor(String containerName) {
        return "driver failed programming external connectivity on endpoint " + containerName + " (" + endpointId + "): " + getMessage();
    }
}
