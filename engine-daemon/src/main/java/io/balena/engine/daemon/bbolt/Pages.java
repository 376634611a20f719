package io.balena.engine.daemon.bbolt;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;

/// The pages of one walk over a file. In a sound file each belongs to one place of one tree, so none is handed out twice: damage
/// that makes a circle, or a few pages that refer to one another a million times, ends the walk.
final class Pages {
    /// Bytes of one page with its overflow; a volume's labels or a network's settings need a few KiB.
    private static final int MOST = 16 << 20;

    private final FileChannel channel;
    private final int pageSize;
    private final BitSet seen = new BitSet();

    Pages(FileChannel channel, int pageSize) {
        this.channel = channel;
        this.pageSize = pageSize;
    }

    Page page(long id) throws IOException {
        long pages = channel.size() / pageSize;
        if (id < 2 || id >= pages || id > Integer.MAX_VALUE) throw new BoltFormatException("page " + Long.toUnsignedString(id) + " of " + pages);
        if (seen.get((int) id)) throw new BoltFormatException("page " + id + " is in two places");
        seen.set((int) id);
        ByteBuffer header = BoltFile.bytes(channel, id * pageSize, Page.HEADER);
        if (header.getLong(0) != id) throw new BoltFormatException("page " + id + " says it is page " + Long.toUnsignedString(header.getLong(0)));
        long overflow = Integer.toUnsignedLong(header.getInt(12));
        long length = (1 + overflow) * pageSize;
        if (id + overflow >= pages || length > MOST) throw new BoltFormatException("page " + id + " with " + overflow + " pages of overflow");
        return new Page(BoltFile.bytes(channel, id * pageSize, (int) length));
    }
}
