package io.balena.engine.daemon.bbolt;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// A branch or leaf page with its overflow, or the inline page of a small bucket.
final class Page {
    static final int HEADER = 16;

    private static final int BRANCH = 1;
    private static final int LEAF = 2;
    private static final int ELEMENT = 16;
    private static final int BUCKET = 1;

    private final ByteBuffer bytes;
    private final boolean leaf;
    private final int count;
    /// Bytes handed out. In a sound page no two elements share any, so it never exceeds the page: a damaged one cannot make us copy
    /// the same megabytes for each of its elements.
    private long copied;

    /// @param bytes all of the page, from 0 to its limit
    Page(ByteBuffer bytes) throws BoltFormatException {
        if (bytes.limit() < HEADER) throw new BoltFormatException("a page of " + bytes.limit() + " bytes");
        this.bytes = bytes;
        int flags = bytes.getShort(8);
        if (flags != BRANCH && flags != LEAF) throw new BoltFormatException("neither branch nor leaf: a page with flags " + flags);
        leaf = flags == LEAF;
        count = Short.toUnsignedInt(bytes.getShort(10));
        if (HEADER + count * ELEMENT > bytes.limit()) throw new BoltFormatException(count + " elements in a page of " + bytes.limit() + " bytes");
    }

    boolean isLeaf() {
        return leaf;
    }

    int count() {
        return count;
    }

    /// The page that element `i` of a branch leads to.
    long child(int i) {
        return bytes.getLong(element(i) + 8);
    }

    boolean isBucket(int i) {
        return (bytes.getInt(element(i)) & BUCKET) != 0;
    }

    byte[] key(int i) throws BoltFormatException {
        int at = element(i);
        return copy(at, unsigned(at + 4), unsigned(at + 8));
    }

    byte[] value(int i) throws BoltFormatException {
        int at = element(i);
        return copy(at, unsigned(at + 4) + unsigned(at + 8), unsigned(at + 12));
    }

    private static int element(int i) {
        return HEADER + i * ELEMENT;
    }

    private long unsigned(int at) {
        return Integer.toUnsignedLong(bytes.getInt(at));
    }

    private byte[] copy(int element, long offset, long length) throws BoltFormatException {
        copied += length;
        if (element + offset + length > bytes.limit() || copied > bytes.limit()) {
            throw new BoltFormatException("an element reaches beyond its page");
        }
        byte[] copy = new byte[(int) length];
        bytes.get((int) (element + offset), copy);
        return copy;
    }

    static Page of(byte[] inline) throws BoltFormatException {
        return new Page(ByteBuffer.wrap(inline).order(ByteOrder.LITTLE_ENDIAN));
    }
}
