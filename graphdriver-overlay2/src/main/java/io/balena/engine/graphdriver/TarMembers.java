package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Objects;
import java.util.Optional;

/// The members of a tar, one after another, while it is read: for archives in which layers lie as files.
///
/// Keeps nothing of what has passed. Once reading has failed, it goes on failing.
public final class TarMembers {
    public enum Type { FILE, FOLDER, SYMLINK, HARD_LINK, OTHER }

    /// @param path below the root of the archive, without `.`, `..` and slashes at its ends
    /// @param target what a link points to, as it stands in the tar
    /// @param size bytes of content
    public record Member(String path, Type type, String target, long size) {}

    private final InputStream tar;
    private final Block block = new Block();
    private final TarParser parser = new TarParser(new Recorder());
    private final Content content = new Content();
    private int nextStep;
    private boolean ended;
    private IOException failure;

    public TarMembers(InputStream tar) {
        this.tar = tar;
    }

    /// Whether a tar may begin so.
    ///
    /// @param start the first 512 bytes, or fewer when there are no more
    public static boolean isTar(byte[] start) {
        return TarParser.isRecord(start);
    }

    /// A name as [Member#path()] has it.
    public static String clean(String name) {
        return new String(TarPath.clean(name.getBytes(UTF_8)), UTF_8);
    }

    /// The next member; what was not read of the last one's content is passed over.
    ///
    /// @return empty at the end, when all of the stream has been read
    /// @throws InvalidLayerException when it is no tar, or ends in the middle of a member
    public Optional<Member> next() throws IOException {
        content.transferTo(OutputStream.nullOutputStream());
        while (step() instanceof TarEntry entry) {
            nextStep++;
            if (entry.sparse) throw failed(new InvalidLayerException("sparse files are not supported here: " + entry));
            content.missing = entry.stored;
            return Optional.of(new Member(new String(entry.path, UTF_8), type(entry), new String(entry.linkName, UTF_8), entry.size));
        }
        return Optional.empty();
    }

    /// The content of the last member. Need not be closed.
    public InputStream content() {
        return content;
    }

    /// What comes next, without taking it; null at the end.
    private Step step() throws IOException {
        if (failure != null) throw failure;
        while (nextStep == block.steps.size() && !ended) fill();
        return nextStep < block.steps.size() ? block.steps.get(nextStep) : null;
    }

    private void fill() throws IOException {
        block.clear();
        nextStep = 0;
        try {
            block.length = tar.readNBytes(block.bytes, 0, Block.SIZE);
            parser.accept(block.bytes, block.length);
            if (block.length < Block.SIZE) {
                parser.finish();
                ended = true;
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private IOException failed(IOException e) {
        failure = e;
        return e;
    }

    private static Type type(TarEntry entry) {
        return switch (entry.type) {
            case TarEntry.REGULAR -> Type.FILE;
            case TarEntry.DIRECTORY -> Type.FOLDER;
            case TarEntry.SYMLINK -> Type.SYMLINK;
            case TarEntry.HARD_LINK -> Type.HARD_LINK;
            default -> Type.OTHER;
        };
    }

    private final class Recorder implements TarParser.Visitor {
        @Override
        public void raw(byte[] bytes, int from, int to) {}

        @Override
        public void entry(TarEntry entry) {
            block.steps.add(entry);
        }

        @Override
        public void content(byte[] bytes, int from, int to, long offset) {
            block.steps.add(new Step.Content(from, to, offset));
        }
    }

    private final class Content extends InputStream {
        private long missing;
        /// Bytes read of the piece that comes next.
        private int taken;

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, to.length);
            if (length == 0) return 0;
            if (missing == 0 || !(step() instanceof Step.Content piece)) return -1;
            int from = piece.from() + taken;
            int count = Math.min(length, piece.to() - from);
            System.arraycopy(block.bytes, from, to, offset, count);
            missing -= count;
            taken += count;
            if (from + count == piece.to()) {
                nextStep++;
                taken = 0;
            }
            return count;
        }
    }
}
