package io.balena.engine.runtime.log;

import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.LogClock;
import io.balena.engine.runtime.loop.Workers;
import java.io.File;
import java.io.IOException;
import java.util.Optional;

/// Opens the logs of containers; what they share is made once.
public final class Logs {
    private final NativeBuffer outbound;
    private final JsonText text;
    private final EventLoop loop;
    private final Diagnostics diagnostics;
    private final LogClock clock = new LogClock();
    private final LogCompressor compressor;
    private final JournalSender journal;

    /// @param outbound what goes to a file or a socket, lent for the time of one event
    /// @param text lines being built, lent likewise
    public Logs(NativeBuffer outbound, JsonText text, EventLoop loop, Workers workers, Diagnostics diagnostics) {
        this.outbound = outbound;
        this.text = text;
        this.loop = loop;
        this.diagnostics = diagnostics;
        this.compressor = new LogCompressor(workers, diagnostics);
        this.journal = new JournalSender(JournalSender.SOCKET, outbound, loop, diagnostics);
    }

    /// For a container that is to be started.
    ///
    /// @throws IOException when nothing could be logged
    public Optional<LogSink> open(Optional<Stdio.Log> log) throws IOException {
        if (log.isPresent() && log.get().driver() == Stdio.Driver.JOURNALD && !journal.isThere()) {
            throw new IOException("journald is not enabled on this host");
        }
        return reopen(log);
    }

    /// For a container that runs: a journal may be away for a moment.
    public Optional<LogSink> reopen(Optional<Stdio.Log> log) throws IOException {
        if (log.isEmpty()) return Optional.empty();
        Stdio.Log to = log.get();
        return Optional.of(switch (to.driver()) {
            case JSON_FILE -> new JsonFileLog(file(to, new JsonFileLog.Records()), to.attributes(), text, clock);
            case LOCAL -> {
                makeFolder(to.file().getParent().toFile());
                yield new LocalLog(file(to, new LocalLog.Records()), text);
            }
            case JOURNALD -> new JournalLog(to.attributes(), to.bufferBytes(), text, journal, loop);
        });
    }

    /// Nobody else's business, as with Docker.
    private static void makeFolder(File folder) throws IOException {
        if (folder.isDirectory()) return;
        if (!folder.mkdir()) throw new IOException("cannot make " + folder);
        folder.setReadable(false, false);
        folder.setExecutable(false, false);
        folder.setReadable(true, true);
        folder.setExecutable(true, true);
    }

    private RotatedFile file(Stdio.Log log, RotatedFile.Records records) throws IOException {
        return new RotatedFile(log, records, outbound, compressor, diagnostics);
    }
}
