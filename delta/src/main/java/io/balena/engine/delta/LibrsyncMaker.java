package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.LongConsumer;

/// Makes deltas in the format of [Librsync], on all cores.
///
/// Memory: a quarter of the base's size and 48 MB for the index, outside the heap, and about 2.5 MB of heap per core.
final class LibrsyncMaker implements DeltaMaker {
    private final BlockIndex index;
    private final Base base;

    private LibrsyncMaker(BlockIndex index, Base base) {
        this.index = index;
        this.base = base;
    }

    static LibrsyncMaker of(Base base, LongConsumer progress) throws IOException {
        BlockIndex index = new BlockIndex(base.size());
        boolean done = false;
        try (InputStream stream = base.stream()) {
            new Segments(index::place, segment -> {
                index.store(segment);
                progress.accept(segment.position + segment.length);
            }).run(stream);
            done = true;
            return new LibrsyncMaker(index, base);
        } finally {
            if (!done) index.close();
        }
    }

    @Override
    public void make(InputStream target, OutputStream delta, LongConsumer progress) throws IOException {
        LibrsyncWriter writer = new LibrsyncWriter(delta);
        List<CopySearch> searches = new ArrayList<>();
        try {
            var idle = new ArrayBlockingQueue<CopySearch>(Segments.MOST_WORKERS);
            var segments = new Segments(segment -> search(segment, idle), segment -> {
                segment.write(writer);
                progress.accept(segment.position + segment.length);
            });
            for (int i = 0; i < segments.workers(); i++) searches.add(new CopySearch(index, base));
            idle.addAll(searches);
            segments.run(target);
        } finally {
            for (CopySearch search : searches) search.close();
        }
        writer.end();
    }

    /// There is one for each worker, so that none waits.
    private static void search(Segment segment, BlockingQueue<CopySearch> idle) throws IOException {
        CopySearch search = idle.remove();
        try {
            search.search(segment);
        } finally {
            idle.add(search);
        }
    }

    @Override
    public void close() {
        index.close();
    }
}
