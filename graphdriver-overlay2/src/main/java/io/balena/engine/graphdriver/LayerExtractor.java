package io.balena.engine.graphdriver;

import io.balena.engine.linux.AlteredThread;
import io.balena.engine.linux.ThreadRoot;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// Extracts one layer in three stages, each on a thread of its own, through which a few blocks go round:
///
/// ```
/// caller's thread          "layer digest"                  "layer files", whose root is the layer
/// reads (inflates)   ──►   hashes, parses, records   ──►   makes the files   ──►  block is free again
/// ```
/// The first stage that fails stops the others, and its failure is the result.
final class LayerExtractor {
    private static final int BLOCKS = 8;
    private static final int CAPACITY = BLOCKS + 8; // room for the marks by which a failing stage wakes the others
    private static final Block END = new Block(0);

    private final Blocks blocks;
    private final IdentityMapping owners;
    private final BlockingQueue<Block> free = new ArrayBlockingQueue<>(CAPACITY);
    private final BlockingQueue<Block> read = new ArrayBlockingQueue<>(CAPACITY);
    private final BlockingQueue<Block> parsed = new ArrayBlockingQueue<>(CAPACITY);
    private volatile Throwable failure;

    LayerExtractor(Blocks blocks, IdentityMapping owners) {
        this.blocks = blocks;
        this.owners = owners;
    }

    /// @param diffId digest of all bytes of the tar
    record Result(DiffId diffId, LayerWriter.Extracted extracted) {}

    /// @param root the folder that becomes the layer's root
    /// @param record where the tar-split record goes; closed by this
    Result extract(InputStream tar, Path root, OutputStream record) throws IOException {
        List<Block> borrowed = blocks.borrow(BLOCKS);
        try {
            free.addAll(borrowed);
            // A virtual thread must not be woken by the one whose root is the layer, see AlteredThread.
            return Thread.currentThread().isVirtual() ? extractOnPlatformThread(tar, root, record) : extractThrough(tar, root, record);
        } finally {
            blocks.giveBack(borrowed);
        }
    }

    private Result extractOnPlatformThread(InputStream tar, Path root, OutputStream record) throws IOException {
        var whole = new FutureTask<>(() -> extractThrough(tar, root, record));
        Thread reader = Thread.ofPlatform().daemon().name("layer read").start(whole);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return whole.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                    reader.interrupt();
                } catch (ExecutionException e) {
                    rethrow(e.getCause());
                }
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    /// When it returns, both other stages have ended.
    private Result extractThrough(InputStream tar, Path root, OutputStream record) throws IOException {
        LayerWriter.load();
        AlteredThread<LayerWriter.Extracted> files = ThreadRoot.startIn(root, "layer files", this::makeFiles);
        var digest = new FutureTask<>(() -> digest(record));
        Thread.ofPlatform().daemon().name("layer digest").start(digest);
        try {
            readAll(tar);
        } catch (Throwable t) {
            fail(t);
        }
        // Both end by themselves: at the end of the tar, or because `failure` is set.
        DiffId diffId = result(digest::get);
        LayerWriter.Extracted extracted = result(files::get);
        if (failure != null) rethrow(failure);
        return new Result(diffId, extracted);
    }

    private void readAll(InputStream tar) throws IOException, InterruptedException {
        boolean more = true;
        while (more && failure == null) {
            Block block = free.take();
            if (failure != null) break;
            block.clear();
            while (block.length < Block.SIZE) {
                int got = tar.read(block.bytes, block.length, Block.SIZE - block.length);
                if (got < 0) {
                    more = false;
                    break;
                }
                block.length += got;
            }
            read.put(block);
        }
        read.put(END);
    }

    private DiffId digest(OutputStream record) throws Exception {
        try (var tarSplit = new TarSplitWriter(record)) {
            MessageDigest sha256 = Digest.sha256();
            var steps = new StepRecorder(tarSplit);
            var parser = new TarParser(steps);
            for (Block block = read.take(); block != END && failure == null; block = read.take()) {
                sha256.update(block.bytes, 0, block.length);
                steps.target = block;
                parser.accept(block.bytes, block.length);
                parsed.put(block);
            }
            if (failure == null) parser.finish();
            tarSplit.finish();
            return new DiffId(Digest.of(sha256));
        } catch (Throwable t) {
            fail(t);
            throw t;
        } finally {
            parsed.put(END);
        }
    }

    private LayerWriter.Extracted makeFiles() throws Exception {
        try (var writer = new LayerWriter(owners)) {
            for (Block block = parsed.take(); block != END && failure == null; block = parsed.take()) {
                writer.write(block);
                free.put(block);
            }
            return failure == null ? writer.finish() : null;
        } catch (Throwable t) {
            fail(t);
            throw t;
        }
    }

    /// Keeps the first failure, and wakes the stages that wait for a block.
    private synchronized void fail(Throwable t) {
        if (failure == null) failure = t;
        free.offer(new Block(0));
        read.offer(END);
        parsed.offer(END);
    }

    private interface Stage<T> {
        T get() throws InterruptedException, ExecutionException;
    }

    /// Null when the stage failed.
    private <T> T result(Stage<T> stage) throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return stage.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                    fail(new InterruptedIOException("extraction of a layer was interrupted"));
                } catch (ExecutionException e) {
                    fail(e.getCause());
                    return null;
                }
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    private static void rethrow(Throwable failure) throws IOException {
        switch (failure) {
            case InvalidLayerException e -> throw e;
            case IOException e -> throw e;
            case InterruptedException e -> {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("extraction of a layer was interrupted");
            }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IOException(failure);
        }
    }

    /// Hands what the parser finds to the tar-split record and, as steps of the block being parsed, to the next stage.
    private static final class StepRecorder implements TarParser.Visitor {
        private final TarSplitWriter tarSplit;
        private Block target;

        StepRecorder(TarSplitWriter tarSplit) {
            this.tarSplit = tarSplit;
        }

        @Override
        public void raw(byte[] bytes, int from, int to) throws IOException {
            tarSplit.raw(bytes, from, to);
        }

        @Override
        public void entry(TarEntry entry) throws IOException {
            tarSplit.entry(entry);
            target.steps.add(entry);
        }

        @Override
        public void content(byte[] bytes, int from, int to, long offset) throws IOException {
            tarSplit.content(bytes, from, to, offset);
            target.steps.add(new Step.Content(from, to, offset));
        }
    }
}
