package io.balena.engine.daemon.container.log;

import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;

/// What a client wants to see of a log.
///
/// @param since entries from then on
/// @param until entries up to then; a follower stops at the first later one
/// @param tail how many of the last entries; empty for all
/// @param follow go on with what is written from now on, until the container ends
public record LogQuery(
        boolean stdout, boolean stderr, Optional<Instant> since, Optional<Instant> until, OptionalInt tail, boolean follow) {

    public static LogQuery everything() {
        return new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.empty(), false);
    }

    boolean wants(LogEntry entry) {
        return (entry.stream() == LogEntry.Stream.STDOUT ? stdout : stderr)
                && since.map(from -> !entry.time().isBefore(from)).orElse(true)
                && !isAfterEnd(entry);
    }

    boolean isAfterEnd(LogEntry entry) {
        return until.map(to -> entry.time().isAfter(to)).orElse(false);
    }
}
