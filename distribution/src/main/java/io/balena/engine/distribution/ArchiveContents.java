package io.balena.engine.distribution;

import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.StagedLayer;
import io.balena.engine.graphdriver.TarMembers;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What an archive of images holds, taken up in one pass over it: documents are kept in memory, layers are extracted into the
/// store as they come by, before anybody can know which image they are for. Nothing else touches the disk.
///
/// A layer that the store has already is passed over when its name tells: most are named by a digest, some by
/// [LegacyLayerIds]. What was extracted and not committed is removed by [#close()].
final class ArchiveContents implements AutoCloseable {
    /// The first record of a tar.
    private static final int START = 512;
    /// moby's limit for manifests and configurations.
    private static final long LARGEST_DOCUMENT = 4 << 20;
    /// What all members together may take of the heap, be they documents or names.
    private static final long LARGEST_SUM = 8 << 20;
    /// About what a member takes besides its path and content.
    private static final int MEMBER_OVERHEAD = 256;
    private static final int MOST_LINKS = 10;
    private static final Pattern DIGEST = Pattern.compile("(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])");

    /// A file of the archive.
    sealed interface Content {
        record Document(byte[] bytes) implements Content {}

        record Extracted(StagedLayer staged, DiffId diffId) implements Content {}

        /// Held for us by the store.
        record Stored(Layer layer) implements Content {}

        record Link(String target) implements Content {}

        /// @param why e.g. `is larger than …`
        record Useless(String why) implements Content {}
    }

    private final LayerStore layers;
    private final BlobRecords records;
    private final LegacyLayerIds legacyIds;
    private final HeldLayers held;
    private final LoadProgress progress;
    private final Map<String, Content> members = new HashMap<>();
    private long inMemory;

    /// @param held keeps the layers that were found in the store
    ArchiveContents(LayerStore layers, BlobRecords records, LegacyLayerIds legacyIds, HeldLayers held, LoadProgress progress) {
        this.layers = layers;
        this.records = records;
        this.legacyIds = legacyIds;
        this.held = held;
        this.progress = progress;
    }

    /// Reads an archive to its end. Of two members of one name the later one counts, as for `tar`.
    ///
    /// @param tar not compressed
    void read(InputStream tar) throws IOException {
        var archive = new TarMembers(tar);
        for (var member = archive.next(); member.isPresent(); member = archive.next()) {
            switch (member.get().type()) {
                case FILE -> file(member.get(), archive.content());
                case SYMLINK -> put(member.get().path(), new Content.Link(besides(member.get().path(), member.get().target())));
                case HARD_LINK -> put(member.get().path(), new Content.Link(member.get().target()));
                case FOLDER, OTHER -> {}
            }
        }
    }

    /// @throws FileNotFoundException in Docker's words when there is no such document
    byte[] document(String path) throws IOException {
        return switch (content(path)) {
            case Content.Document(byte[] bytes) -> bytes;
            case Content.Useless(String why) -> throw invalid(path + " " + why);
            default -> throw invalid(path + " is a layer, not a document");
        };
    }

    boolean has(String path) {
        return members.containsKey(path);
    }

    /// A layer of the archive: [Content.Extracted] or [Content.Stored].
    ///
    /// @throws FileNotFoundException in Docker's words when there is no such file
    Content layer(String path) throws IOException {
        return switch (content(path)) {
            case Content.Document _ -> throw invalid(path + " is not a layer");
            case Content.Useless(String why) -> throw invalid(path + " " + why);
            case Content layer -> layer;
        };
    }

    /// The tar of a layer of the archive, to be read again from the disk; as long as the layer is not committed.
    LayerTar tar(String path) throws IOException {
        return switch (layer(path)) {
            case Content.Extracted(StagedLayer staged, _) -> staged.tar();
            case Content.Stored(Layer stored) -> layers.tar(stored.chainId()).orElseThrow();
            case Content other -> throw new IllegalArgumentException("no layer: " + other);
        };
    }

    /// Says that a layer was committed: it need not be removed any more, and is held by the store.
    void committed(String path, Layer layer) throws IOException {
        members.put(resolved(path), new Content.Stored(layer));
    }

    @Override
    public void close() throws IOException {
        for (Content content : members.values()) discard(content);
    }

    private Content content(String path) throws IOException {
        return members.get(resolved(path));
    }

    /// Follows links. They lead to other members and nowhere else: no path of an archive ever meets the file system.
    private String resolved(String path) throws IOException {
        String at = TarMembers.clean(path);
        for (int i = 0; i < MOST_LINKS; i++) {
            switch (members.get(at)) {
                case null -> throw new FileNotFoundException("open " + path + ": no such file or directory");
                case Content.Link(String target) -> at = TarMembers.clean(target);
                default -> {
                    return at;
                }
            }
        }
        throw new FileNotFoundException("open " + path + ": too many levels of symbolic links");
    }

    private static String besides(String path, String target) {
        return target.startsWith("/") ? target : path.substring(0, path.lastIndexOf('/') + 1) + target;
    }

    private void file(TarMembers.Member member, InputStream content) throws IOException {
        byte[] start = content.readNBytes(START);
        var whole = new SequenceInputStream(new ByteArrayInputStream(start), content);
        if (Compression.of(start) != Compression.NONE || TarMembers.isTar(start)) {
            put(member.path(), layer(member, Compression.of(start), whole));
        } else if (member.size() > LARGEST_DOCUMENT) {
            put(member.path(), new Content.Useless("is neither a layer nor a document: it is larger than " + LARGEST_DOCUMENT + " bytes"));
        } else {
            grow(member.size());
            byte[] document = whole.readAllBytes();
            check(member.path(), () -> Digest.of(document));
            put(member.path(), new Content.Document(document));
        }
    }

    private Content layer(TarMembers.Member member, Compression compression, InputStream content) throws IOException {
        Optional<Layer> known = storedUnder(member.path());
        if (known.isPresent()) return new Content.Stored(known.get());
        MessageDigest running = Digest.sha256();
        // An uncompressed layer is hashed by its extraction.
        InputStream hashed = compression == Compression.NONE ? content : new DigestInputStream(content, running);
        StagedLayer staged = layers.stage();
        boolean kept = false;
        try {
            DiffId diffId = staged.extract(Compression.decompress(progress.following(member, hashed)));
            hashed.transferTo(OutputStream.nullOutputStream());
            check(member.path(), () -> compression == Compression.NONE ? diffId.digest() : Digest.of(running));
            kept = true;
            return new Content.Extracted(staged, diffId);
        } catch (InvalidLayerException | CorruptStreamException e) {
            // It may be something else, which no image needs. If it is the archive that is broken, reading on fails again.
            content.transferTo(OutputStream.nullOutputStream());
            return new Content.Useless("is not a layer: " + e.getMessage());
        } finally {
            if (!kept) staged.close();
        }
    }

    /// The layer that `path` speaks of, held. A path that lies makes its image invalid, and no more: its layers are compared with its
    /// configuration whatever they are called.
    private Optional<Layer> storedUnder(String path) {
        Matcher digests = DIGEST.matcher(path);
        while (digests.find()) {
            Optional<Layer> layer = stored(new Digest(digests.group()));
            if (layer.isPresent()) return layer;
        }
        return Optional.empty();
    }

    private Optional<Layer> stored(Digest digest) {
        Optional<Layer> layer = layers.retainAny(new DiffId(digest)).or(() -> records.layerOf(digest).flatMap(layers::retainAny));
        layer.ifPresent(found -> held.takeOver(found.chainId()));
        return layer.or(() -> legacyIds.chain(digest).filter(held::hold).flatMap(layers::find));
    }

    private interface Actual {
        Digest digest();
    }

    private static void check(String path, Actual actual) {
        if (!path.startsWith(ArchiveLayout.BLOBS)) return;
        Digest digest = actual.digest();
        if (!path.equals(ArchiveLayout.blob(digest))) throw invalid("archive is corrupt: the digest of " + path + " is " + digest);
    }

    private void put(String path, Content content) throws IOException {
        discard(members.put(path, content));
        grow(2L * path.length() + (content instanceof Content.Link(String target) ? 2 * target.length() : 0) + MEMBER_OVERHEAD);
    }

    private void grow(long bytes) {
        inMemory += bytes;
        if (inMemory > LARGEST_SUM) throw invalid("archive has more than " + LARGEST_SUM + " bytes of names and documents");
    }

    private static void discard(Content content) throws IOException {
        if (content instanceof Content.Extracted extracted) extracted.staged().close();
    }

    private static DistributionException invalid(String message) {
        return new DistributionException.InvalidContent(message, null);
    }
}
