package io.balena.engine.daemon.bbolt;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/// Keys with values, in the order of their bytes; some values are buckets themselves.
///
/// Looking for a bucket reads all that precedes it, and a page is read once: walk over each bucket once, or begin again at
/// [BoltFile#root].
public final class BoltBucket {
    private static final int HEADER = 16;
    /// Branch pages above a leaf. Each level multiplies by at least two, so no file is deeper.
    private static final int DEEPEST = 48;

    private final Pages pages;
    private final Optional<Page> inline;
    private final long root;

    BoltBucket(Pages pages, long root) {
        this.pages = pages;
        this.inline = Optional.empty();
        this.root = root;
    }

    private BoltBucket(Pages pages, Page inline) {
        this.pages = pages;
        this.inline = Optional.of(inline);
        this.root = 0;
    }

    /// Is told all keys with their values.
    @FunctionalInterface
    public interface Visitor {
        void visit(byte[] key, byte[] value) throws IOException;
    }

    /// Visits what is no bucket.
    ///
    /// @throws BoltFormatException when the file is damaged; what was visited before that is sound as far as can be told
    public void forEach(Visitor visitor) throws IOException {
        walk(root(), 0, (page, i) -> {
            if (!page.isBucket(i)) visitor.visit(page.key(i), page.value(i));
            return true;
        });
    }

    /// The bucket of that name, if there is one.
    public Optional<BoltBucket> bucket(byte[] name) throws IOException {
        var found = new BoltBucket[1];
        walk(root(), 0, (page, i) -> {
            if (!page.isBucket(i) || !Arrays.equals(page.key(i), name)) return true;
            found[0] = nested(page.value(i));
            return false;
        });
        return Optional.ofNullable(found[0]);
    }

    private BoltBucket nested(byte[] value) throws BoltFormatException {
        if (value.length < HEADER) throw new BoltFormatException("a bucket of " + value.length + " bytes");
        long page = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        return page == 0 ? new BoltBucket(pages, Page.of(Arrays.copyOfRange(value, HEADER, value.length))) : new BoltBucket(pages, page);
    }

    private Page root() throws IOException {
        return inline.isPresent() ? inline.get() : pages.page(root);
    }

    private interface Element {
        /// @return whether to go on
        boolean at(Page leaf, int i) throws IOException;
    }

    private boolean walk(Page page, int depth, Element each) throws IOException {
        if (depth > DEEPEST || !page.isLeaf() && inline.isPresent()) throw new BoltFormatException("a tree without leaves");
        for (int i = 0; i < page.count(); i++) {
            boolean goOn = page.isLeaf() ? each.at(page, i) : walk(pages.page(page.child(i)), depth + 1, each);
            if (!goOn) return false;
        }
        return true;
    }
}
