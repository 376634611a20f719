package io.balena.engine.runtime;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Optional;

/// Logs without a shim around them: what is written is in the file at once, compressing is left to [#runLoop()].
final class LogFixture implements AutoCloseable {
    private final EventLoop loop;
    private final Logs logs;
    private final Workers workers;

    LogFixture(OutputStream said) throws IOException {
        var diagnostics = new Diagnostics(new PrintStream(said, true, ISO_8859_1));
        loop = new EventLoop(diagnostics);
        workers = new Workers(loop);
        logs = new Logs(ShimBuffers.allocate(), loop, workers, diagnostics);
    }

    LogSink open(Stdio.Log log) throws IOException {
        return logs.open(Optional.of(log)).orElseThrow();
    }

    static LogSink json(Stdio.Log log, OutputStream said) throws IOException {
        return new LogFixture(said).open(log);
    }

    /// Lets the loop do what it has to, until all work is done.
    void runLoop() throws IOException {
        Runnable look = new Runnable() {
            @Override
            public void run() {
                if (workers.areIdle()) loop.end();
                else loop.after(5, this);
            }
        };
        loop.execute(look);
        loop.run();
    }

    @Override
    public void close() {
        loop.close();
        workers.end();
    }
}
