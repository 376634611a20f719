package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.Workers;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Iterator;
import java.util.Optional;

/// Logs without a shim around them: what is written is in the file at once, compressing is done in [#run].
final class LogFixture implements AutoCloseable {
    private final EventLoop loop;
    private final Logs logs;
    private final Workers workers;

    LogFixture(OutputStream said) throws IOException {
        var diagnostics = new Diagnostics(new PrintStream(said, true, ISO_8859_1));
        loop = new EventLoop(diagnostics);
        workers = new Workers(loop);
        logs = new Logs(new NativeBuffer(64 << 10), new JsonText(192 << 10), loop, workers, diagnostics);
    }

    LogSink open(Stdio.Log log) throws IOException {
        return logs.open(Optional.of(log)).orElseThrow();
    }

    static LogSink open(Stdio.Log log, OutputStream said) throws IOException {
        return new LogFixture(said).open(log);
    }

    /// Runs `steps` on the loop, each when all that was begun before is done.
    void run(Iterator<Runnable> steps) throws IOException {
        loop.execute(new Runnable() {
            @Override
            public void run() {
                if (workers.areIdle() && steps.hasNext()) steps.next().run();
                else if (workers.areIdle()) loop.end();
                if (!loop.hasEnded()) loop.after(1, this);
            }
        });
        loop.run();
    }

    @Override
    public void close() {
        loop.close();
        workers.end();
    }
}
