package io.balena.engine.runtime.log;

/// Where the output of a container is recorded. Lives on the loop's thread, and never waits.
public interface LogSink {
    /// One of the streams that flow into a log.
    interface Source {}

    /// @param name `stdout` or `stderr`
    Source source(String name);

    /// Records what the process has written to one of its streams: whole lines, and the pieces of long ones; the rest is kept.
    void write(Source source, byte[] in, int length);

    /// Records the last line of a stream that has ended, which may have no newline.
    void end(Source source);

    /// No more should be written now: what was written last is still to be taken. Only a journal is ever full.
    default boolean isFull() {
        return false;
    }

    /// @param room called each time the log is no longer full
    default void whenRoom(Runnable room) {}

    /// @param closed called when everything is recorded, or given up
    void close(Runnable closed);
}
