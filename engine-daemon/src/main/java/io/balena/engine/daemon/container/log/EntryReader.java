package io.balena.engine.daemon.container.log;

import java.io.IOException;

/// Reads one file of a log from some place on.
interface EntryReader {
    /// @return the next whole entry; null when there is none yet. What is no entry is passed over: it must not hide those after it.
    LogEntry next() throws IOException;

    /// Bytes from where reading began to the end of the last whole entry.
    long consumed();
}
