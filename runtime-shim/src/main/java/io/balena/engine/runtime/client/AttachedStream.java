package io.balena.engine.runtime.client;

import java.io.IOException;
import java.nio.channels.ByteChannel;

/// A client's line to the streams of a process.
///
/// Reading gives output in Docker's multiplexed form, `[stream, 0, 0, 0, length (big endian, 4 bytes)] payload` with stream 1 for
/// stdout and 2 for stderr, or bytes as they are when the process has a terminal; its end means that the process has ended and all
/// output was read. Writing goes to stdin, slowed down to the process's pace.
public interface AttachedStream extends ByteChannel {
    /// Ends stdin, as seen by the process if this client is the one that may end it; reading goes on.
    void closeStdin() throws IOException;
}
