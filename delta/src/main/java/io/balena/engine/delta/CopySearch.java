package io.balena.engine.delta;

import java.io.IOException;

/// Finds what of a segment the base has, greedily from its beginning. For one thread.
///
/// After each copy it looks first whether the base goes on as the segment does behind a few bytes that differ: a changed time in a header,
/// a changed address in a program. Else it asks the index at every byte. What it finds is compared byte by byte and extended to both sides.
final class CopySearch implements AutoCloseable {
    /// A copy takes up to 10 bytes of a delta and cuts a literal in two; what is shorter costs more than it saves once both are compressed.
    private static final int SHORTEST_RESUMED = 12;
    private static final int SHORTEST_FOUND = 24;
    /// How far behind a difference the base may go on.
    private static final int RESUME_WITHIN = 512;
    /// Within this, the index is not even asked.
    private static final int RESUME_AT_ONCE = 32;
    private static final int CACHED_BLOCKS = 256;
    private static final int SHORTEST_ZEROS = 128;
    /// The more bytes nothing was found for, the larger the steps: each question is a wait for memory. Odd ones in the end, so that sooner
    /// or later one falls on where a block begins.
    private static final int LARGEST_STEP = 13;
    private static final int STEP_GROWS_AFTER = 64;

    private final BlockIndex index;
    private final BaseCache base;
    private final BlockIndex.ZeroRun zeros;

    private Segment segment;
    /// Everything before is copied or literal.
    private int done;
    /// Where the base goes on as the segment may at `resumeAt`.
    private long resumeFrom;
    private int resumeAt;

    CopySearch(BlockIndex index, Base base) throws IOException {
        this.index = index;
        this.base = new BaseCache(base, CACHED_BLOCKS);
        this.zeros = index.zeros();
    }

    void search(Segment given) throws IOException {
        segment = given;
        done = 0;
        resumeAt = -1;
        byte[] bytes = segment.bytes;
        int last = segment.length - index.block();
        int at = 0;
        while (at <= last) {
            if (resumeAt >= 0 && at >= resumeAt) at = resume();
            else if (BlockIndex.word(bytes, at) == 0) at = zeros(at);
            else if (take(at, index.find(index.hash(bytes, at)))) at = next();
            else at += step(at);
        }
        while (resumeAt >= 0) resume();
    }

    private int step(int at) {
        return Math.min(LARGEST_STEP, 1 + (at - done) / STEP_GROWS_AFTER);
    }

    /// Copies what is equal around `at` and `position`, if that is enough.
    ///
    /// @param position -1 for nowhere
    private boolean take(int at, long position) throws IOException {
        if (position < 0) return false;
        int after = base.equal(segment.bytes, at, segment.length, position);
        if (after < index.block()) return false;
        int before = base.equalBefore(segment.bytes, at, done, position);
        if (before + after < SHORTEST_FOUND) return false;
        copy(at - before, position - before, before + after);
        return true;
    }

    private int resume() throws IOException {
        copy(resumeAt, resumeFrom, base.equal(segment.bytes, resumeAt, segment.length, resumeFrom));
        return next();
    }

    private void copy(int at, long position, int length) throws IOException {
        segment.copy(at, position, length);
        done = at + length;
        int limit = Math.min(segment.length, done + RESUME_WITHIN);
        resumeAt = base.firstRun(segment.bytes, done, limit, position + length, SHORTEST_RESUMED);
        resumeFrom = position + length + resumeAt - done;
    }

    /// Where to go on after a copy.
    private int next() {
        return resumeAt >= 0 && resumeAt - done <= RESUME_AT_ONCE ? resumeAt : done;
    }

    /// Passes over a run of zeros, which the index does not have.
    private int zeros(int at) {
        int end = at + Long.BYTES;
        int stop = resumeAt > at ? resumeAt : segment.length;
        while (end < stop && segment.bytes[end] == 0) end++;
        end = Math.min(end, stop);
        if (end - at < SHORTEST_ZEROS || zeros.length() < SHORTEST_ZEROS) return Math.max(at + 1, end - Long.BYTES + 1);
        for (int from = at; from < end; ) {
            int length = Math.min(end - from, zeros.length());
            segment.copy(from, zeros.position(), length);
            from += length;
        }
        done = end;
        return end;
    }

    @Override
    public void close() throws IOException {
        base.close();
    }
}
