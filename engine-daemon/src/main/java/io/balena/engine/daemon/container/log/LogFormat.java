package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;

/// How entries stand in a file.
public sealed interface LogFormat permits JsonLines, LocalRecords {
    LogFormat JSON_FILE = new JsonLines();
    LogFormat LOCAL = new LocalRecords();

    /// @param in from the beginning of an entry on
    EntryReader reader(InputStream in);

    /// Where the last `entries` whole entries of a plain file begin, and how many there are if fewer.
    TailStart tail(FileChannel file, int entries) throws IOException;

    /// @param offset in bytes
    /// @param entries from there to the end
    record TailStart(long offset, int entries) {}
}
