package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// The log of one container.
public final class ContainerLog {
    private final LogFiles files;
    private final Path directory;
    private final FileChanges changes;

    /// Takes the entries that were asked for, oldest first.
    @FunctionalInterface
    public interface Sink {
        void accept(LogEntry entry) throws IOException;
    }

    /// @param file the one being written; rotated ones lie beside it
    public ContainerLog(Path file, FileChanges changes) {
        this.files = new LogFiles(file);
        this.directory = file.getParent();
        this.changes = changes;
    }

    /// Hands over what `query` asks for.
    ///
    /// @param caughtUp called once all that was there has been handed over, before a follower begins to wait
    /// @param ended completes when the container has ended and all it wrote is in the log; ends following
    /// @throws InterruptedIOException when the thread is interrupted, because the client left
    public void read(LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink) throws IOException {
        if (!query.follow()) {
            Position last = readExisting(query, sink);
            if (last.file != null) last.file.close();
            return;
        }
        try (FileChanges.Watch watch = changes.watch(directory)) {
            ended.whenComplete((_, _) -> watch.wake());
            follow(query, ended, caughtUp, sink, watch);
        } catch (InterruptedException e) {
            throw new InterruptedIOException("the client left");
        }
    }

    /// Sends on what was written so far.
    @FunctionalInterface
    public interface Flush {
        void flush() throws IOException;
    }

    private static final class Position {
        private LogFiles.Opened file;
        private LineReader lines;
        private boolean pastEnd;
    }

    private void follow(LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink, FileChanges.Watch watch)
            throws IOException, InterruptedException {
        Position at = readExisting(query, sink);
        try {
            while (!at.pastEnd) {
                // Asked before reading: what was written before the end is read after it was seen.
                boolean last = ended.isDone();
                copy(at, query, sink);
                if (at.file == null || !files.isCurrent(at.file.key())) {
                    if (at.file != null) copy(at, query, sink);
                    if (advance(at)) continue;
                }
                caughtUp.flush();
                if (last) return;
                watch.await();
            }
        } finally {
            if (at.file != null) at.file.close();
        }
    }

    /// Goes on with the file that follows; false when there is none yet.
    private boolean advance(Position at) throws IOException {
        LogFiles.Opened next = files.after(at.file == null ? "" : at.file.key());
        if (next == null) return false;
        if (at.file != null && next.key().equals(at.file.key())) {
            next.close();
            return false;
        }
        if (at.file != null) at.file.close();
        at.file = next;
        at.lines = new LineReader(next.from(0));
        return true;
    }

    /// Copies what is there, and stays at the end of the newest file.
    private Position readExisting(LogQuery query, Sink sink) throws IOException {
        List<LogFiles.Opened> all = files.openAll();
        var at = new Position();
        try {
            Start start = query.tail().isPresent() ? tail(all, query.tail().getAsInt()) : new Start(0, 0, 0);
            for (int i = start.file; i < all.size() && !at.pastEnd; i++) {
                at.file = all.get(i);
                at.lines = new LineReader(at.file.from(i == start.file ? start.offset : 0));
                if (i == start.file) for (int skipped = 0; skipped < start.skip; skipped++) at.lines.next();
                copy(at, query, sink);
            }
            return at;
        } finally {
            for (LogFiles.Opened file : all) if (file != at.file) file.close();
        }
    }

    /// @param file index of the file to begin with
    /// @param offset in it, in bytes
    /// @param skip lines to pass over from there
    private record Start(int file, long offset, int skip) {}

    private static Start tail(List<LogFiles.Opened> all, int wanted) throws IOException {
        int missing = wanted;
        for (int i = all.size() - 1; i >= 0; i--) {
            LogFiles.Opened file = all.get(i);
            if (file.compressed()) {
                int lines = count(file);
                if (lines >= missing) return new Start(i, 0, lines - missing);
                missing -= lines;
            } else {
                LogFiles.TailStart start = LogFiles.tail(file.channel(), missing);
                if (start.lines() >= missing) return new Start(i, start.offset(), 0);
                missing -= start.lines();
            }
        }
        return new Start(0, 0, 0);
    }

    private static int count(LogFiles.Opened file) throws IOException {
        var lines = new LineReader(file.from(0));
        int count = 0;
        while (lines.next() != null) count++;
        return count;
    }

    private static void copy(Position at, LogQuery query, Sink sink) throws IOException {
        if (at.lines == null) return;
        for (byte[] line = at.lines.next(); line != null; line = at.lines.next()) {
            LogEntry entry = LogEntry.parse(line).orElse(null);
            if (entry == null) continue;
            if (query.isAfterEnd(entry)) {
                at.pastEnd = true;
                return;
            }
            if (query.wants(entry)) sink.accept(entry);
        }
    }
}
