package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// A log kept in files that the shim writes and rotates.
public final class FileLog implements ContainerLog {
    private final LogFiles files;
    private final Path directory;
    private final LogFormat format;
    private final FileChanges changes;

    /// @param file the one being written; rotated ones lie beside it
    /// @param most files there may be
    public FileLog(Path file, int most, LogFormat format, FileChanges changes) {
        this.files = new LogFiles(file, most);
        this.directory = file.getParent();
        this.format = format;
        this.changes = changes;
    }

    @Override
    public void read(LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink) throws IOException {
        if (!query.follow() || !Files.isDirectory(directory)) { // of a container that has never run
            try (Position at = new Position()) {
                readExisting(at, query, sink);
            }
            return;
        }
        try (FileChanges.Watch watch = changes.watch(directory); Position at = new Position()) {
            ended.whenComplete((_, _) -> watch.wake());
            readExisting(at, query, sink);
            follow(at, query, ended, caughtUp, sink, watch);
        } catch (InterruptedException e) {
            throw new InterruptedIOException("the client left");
        }
    }

    /// How far a reader has come.
    private final class Position implements AutoCloseable {
        private LogFile file;
        /// Bytes of it that were handed over.
        private long offset;
        private boolean pastEnd;

        void moveTo(LogFile next) throws IOException {
            close();
            file = next;
            offset = 0;
        }

        /// Reads on. What is still half written is read again, when there is more of it.
        void copy(LogQuery query, Sink sink) throws IOException {
            if (file == null) return;
            if (!file.compressed() && file.channel().size() < offset) offset = 0; // somebody has emptied it
            EntryReader entries = format.reader(file.from(offset));
            try {
                for (LogEntry entry = entries.next(); entry != null; entry = entries.next()) {
                    if (query.isAfterEnd(entry)) {
                        pastEnd = true;
                        return;
                    }
                    if (query.wants(entry)) sink.accept(entry);
                }
            } finally {
                offset += entries.consumed();
            }
        }

        void skip(int count) throws IOException {
            if (count == 0) return;
            EntryReader entries = format.reader(file.from(offset));
            for (int i = 0; i < count; i++) entries.next();
            offset += entries.consumed();
        }

        @Override
        public void close() throws IOException {
            if (file != null) file.close();
        }
    }

    private void follow(Position at, LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink, FileChanges.Watch watch)
            throws IOException, InterruptedException {
        while (!at.pastEnd) {
            // Asked before reading: what was written before the end, or before a rotation, is read after it was seen.
            boolean last = ended.isDone();
            boolean complete = at.file == null || !files.isCurrent(at.file);
            at.copy(query, sink);
            if (at.pastEnd) return;
            if (complete) {
                LogFile next = files.after(at.file);
                if (next != null) {
                    at.moveTo(next);
                    continue;
                }
            }
            caughtUp.flush();
            if (last) return;
            watch.await();
        }
    }

    /// Copies what is there, and stays at the end of the newest file.
    private void readExisting(Position at, LogQuery query, Sink sink) throws IOException {
        List<LogFile> all = files.openAll();
        try {
            Start start = query.tail().isPresent() ? tail(all, query.tail().getAsInt()) : new Start(0, 0, 0);
            for (int i = start.file; i < all.size() && !at.pastEnd; i++) {
                at.moveTo(all.get(i));
                if (i == start.file) {
                    at.offset = start.offset;
                    at.skip(start.skip);
                }
                at.copy(query, sink);
            }
        } finally {
            for (LogFile file : all) if (file != at.file) file.close();
        }
    }

    /// @param file index of the file to begin with
    /// @param offset in it, in bytes
    /// @param skip entries to pass over from there
    private record Start(int file, long offset, int skip) {}

    private Start tail(List<LogFile> all, int wanted) throws IOException {
        int missing = wanted;
        for (int i = all.size() - 1; i >= 0; i--) {
            LogFile file = all.get(i);
            if (file.compressed()) {
                int entries = count(file);
                if (entries >= missing) return new Start(i, 0, entries - missing);
                missing -= entries;
            } else {
                LogFormat.TailStart start = format.tail(file.channel(), missing);
                if (start.entries() >= missing) return new Start(i, start.offset(), 0);
                missing -= start.entries();
            }
        }
        return new Start(0, 0, 0);
    }

    private int count(LogFile file) throws IOException {
        EntryReader entries = format.reader(file.from(0));
        int count = 0;
        while (entries.next() != null) count++;
        return count;
    }
}
