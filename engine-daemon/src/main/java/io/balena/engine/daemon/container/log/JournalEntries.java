package io.balena.engine.daemon.container.log;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// The entries of one container in systemd's journal, read by `journalctl`, which knows all forms that journals have had.
public final class JournalEntries implements ContainerLog {
    private static final Path PROGRAM = Path.of("/usr/bin/journalctl");
    private static final int AHEAD = 256;
    private static final int SYNC_SECONDS = 5;

    private final String containerId;

    private JournalEntries(String containerId) {
        this.containerId = containerId;
    }

    /// @return empty on a machine that cannot read journals
    public static Optional<ContainerLog> of(String containerId) {
        return Files.isExecutable(PROGRAM) ? Optional.of(new JournalEntries(containerId)) : Optional.empty();
    }

    @Override
    public void read(LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink) throws IOException {
        List<String> selection = new ArrayList<>();
        selection.add(query.tail().isPresent() ? "--lines=" + query.tail().getAsInt() : "--lines=all");
        query.since().ifPresent(since -> selection.add("--since=@" + since.getEpochSecond() + "." + "%06d".formatted(since.getNano() / 1000)));
        if (!query.follow()) {
            sync();
            copy(query, selection, null, () -> {}, sink);
            return;
        }
        List<String> following = new ArrayList<>(selection);
        following.add("--follow");
        Optional<String> cursor = copy(query, following, ended, caughtUp, sink);
        if (cursor.isEmpty() && !ended.isDone()) return; // there is no more to come
        // The last words may still have been on their way.
        sync();
        if (cursor.isPresent()) copy(query, List.of("--lines=all", "--after-cursor=" + cursor.get()), null, () -> {}, sink);
        else copy(query, selection, null, () -> {}, sink);
    }

    /// @param ended ends it, or null
    /// @return the place of the last entry; empty when there was none, or no later one is wanted
    private Optional<String> copy(LogQuery query, List<String> selection, CompletableFuture<?> ended, Flush caughtUp, Sink sink) throws IOException {
        List<String> words = new ArrayList<>(List.of(PROGRAM.toString(), "--quiet", "--no-pager", "--all", "--output=export"));
        words.addAll(selection);
        words.add("CONTAINER_ID_FULL=" + containerId);
        Process journalctl = new ProcessBuilder(words).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        BlockingQueue<Optional<JournalEntry>> read = new ArrayBlockingQueue<>(AHEAD);
        // A thread of its own, since a read from a pipe cannot be interrupted.
        Thread reader = Thread.ofPlatform().daemon().name("journal").start(() -> readAll(journalctl, read));
        if (ended != null) ended.whenComplete((_, _) -> journalctl.destroy());
        try {
            return handOver(query, read, caughtUp, sink);
        } catch (InterruptedException e) {
            throw new InterruptedIOException("the client left");
        } finally {
            journalctl.destroyForcibly();
            reader.interrupt();
        }
    }

    private static Optional<String> handOver(LogQuery query, BlockingQueue<Optional<JournalEntry>> read, Flush caughtUp, Sink sink)
            throws IOException, InterruptedException {
        Optional<String> cursor = Optional.empty();
        while (true) {
            Optional<JournalEntry> next = read.poll();
            if (next == null) {
                caughtUp.flush();
                next = read.take();
            }
            if (next.isEmpty()) return cursor;
            LogEntry entry = next.get().entry();
            if (query.isAfterEnd(entry)) return Optional.empty();
            if (query.wants(entry)) sink.accept(entry);
            cursor = Optional.of(next.get().cursor());
        }
    }

    private static void readAll(Process journalctl, BlockingQueue<Optional<JournalEntry>> into) {
        try {
            try (var in = new BufferedInputStream(journalctl.getInputStream(), 32 << 10)) {
                for (JournalEntry entry = JournalEntry.read(in); entry != null; entry = JournalEntry.read(in)) into.put(Optional.of(entry));
            } catch (IOException e) {
                // journalctl was ended.
            }
            into.put(Optional.empty());
        } catch (InterruptedException e) {
            // Nobody is interested any more.
        }
    }

    /// What was sent before is in the journal's files afterwards.
    private static void sync() throws IOException {
        Process sync = new ProcessBuilder(PROGRAM.toString(), "--quiet", "--sync").redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        try {
            if (!sync.waitFor(SYNC_SECONDS, TimeUnit.SECONDS)) sync.destroyForcibly();
        } catch (InterruptedException e) {
            sync.destroyForcibly();
            throw new InterruptedIOException("the client left");
        }
    }

    static Instant time(long micros) {
        return Instant.ofEpochSecond(micros / 1_000_000, micros % 1_000_000 * 1000);
    }
}
