package io.balena.engine.daemon.bbolt;

import static java.nio.file.StandardOpenOption.READ;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Optional;

/// A bbolt file, open for reading. Nobody may write it meanwhile.
///
/// For use by one thread.
public final class BoltFile implements Closeable {
    private static final int SMALLEST_PAGE = 1 << 10;
    private static final int LARGEST_PAGE = 1 << 16;

    private final FileChannel channel;
    private final Meta meta;

    private BoltFile(FileChannel channel, Meta meta) {
        this.channel = channel;
        this.meta = meta;
    }

    /// @throws BoltFormatException when neither of the two meta pages is whole
    /// @throws java.nio.file.NoSuchFileException when there is no such file
    public static BoltFile open(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, READ);
        try {
            return new BoltFile(channel, newest(channel, file));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /// The first meta page says where the second is; without it, the second is looked for where it can be.
    private static Meta newest(FileChannel channel, Path file) throws IOException {
        Optional<Meta> first = meta(channel, 0);
        if (first.isPresent()) {
            Optional<Meta> second = meta(channel, first.get().pageSize());
            return second.filter(other -> other.transaction() > first.get().transaction()).orElse(first.get());
        }
        for (int size = SMALLEST_PAGE; size <= LARGEST_PAGE; size <<= 1) {
            Optional<Meta> second = meta(channel, size);
            if (second.isPresent() && second.get().pageSize() == size) return second.get();
        }
        throw new BoltFormatException(file + " has no valid meta page");
    }

    private static Optional<Meta> meta(FileChannel channel, long position) throws IOException {
        if (position + Meta.SIZE > channel.size()) return Optional.empty();
        return Meta.read(bytes(channel, position, Meta.SIZE))
                .filter(meta -> Integer.bitCount(meta.pageSize()) == 1 && meta.pageSize() >= SMALLEST_PAGE && meta.pageSize() <= LARGEST_PAGE);
    }

    /// The bucket that holds all others. Ask for it anew for each walk.
    public BoltBucket root() throws IOException {
        return new BoltBucket(new Pages(channel, meta.pageSize()), meta.root());
    }

    /// @throws BoltFormatException when the file ends before that
    static ByteBuffer bytes(FileChannel channel, long position, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) throw new BoltFormatException("the file is cut off");
        }
        return buffer.flip();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
