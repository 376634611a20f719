package io.balena.engine.daemon.bbolt;

import java.nio.ByteBuffer;
import java.util.Optional;

/// What a meta page says.
///
/// @param pageSize bytes
/// @param root page of the root bucket
/// @param transaction the number of the one that wrote it
record Meta(int pageSize, long root, long transaction) {
    /// Bytes with the page's header.
    static final int SIZE = Page.HEADER + 64;

    private static final int MAGIC = 0xED0CDAED;
    private static final int VERSION = 2;
    private static final int CHECKSUM = Page.HEADER + 56;

    /// @return empty when this is none, or not whole
    static Optional<Meta> read(ByteBuffer page) {
        boolean valid = page.getInt(Page.HEADER) == MAGIC && page.getInt(Page.HEADER + 4) == VERSION
                && page.getLong(CHECKSUM) == checksum(page);
        return valid ? Optional.of(new Meta(page.getInt(Page.HEADER + 8), page.getLong(Page.HEADER + 16), page.getLong(Page.HEADER + 48)))
                : Optional.empty();
    }

    /// FNV-1a, 64 bits, of what precedes it.
    private static long checksum(ByteBuffer page) {
        long hash = 0xcbf29ce484222325L;
        for (int at = Page.HEADER; at < CHECKSUM; at++) hash = (hash ^ page.get(at) & 0xff) * 0x100000001b3L;
        return hash;
    }
}
