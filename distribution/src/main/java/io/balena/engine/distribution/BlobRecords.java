package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// Remembers which blob of which repository a layer came from, for pushing it back as it was, and where it was
/// pushed to: `image/overlay2/distribution`.
///
/// These are caches: a lost or damaged entry costs bandwidth, nothing else. So they are not synced one by one; a layer's entry is
/// written before the layer is committed, whose own `syncfs` takes it along.
final class BlobRecords {
    private static final Logger LOG = System.getLogger(BlobRecords.class.getName());
    private static final int MOST_SOURCES = 50;

    private final Path root;
    private final Path diffIdByDigest;
    private final Path blobsByDiffId;

    BlobRecords(Path dataRoot) {
        root = dataRoot.resolve("image/overlay2/distribution");
        this.diffIdByDigest = root.resolve("diffid-by-digest/sha256");
        this.blobsByDiffId = root.resolve("v2metadata-by-diffid/sha256");
        for (Path folder : List.of(diffIdByDigest, blobsByDiffId)) tidy(folder);
    }

    private static void tidy(Path folder) {
        try {
            if (Files.isDirectory(folder)) DurableFile.deleteTemporaries(folder);
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "cannot tidy " + folder, e);
        }
    }

    /// Notes that `blob` of `repository` (e.g. `docker.io/library/busybox`) was pulled, or could have been, and unpacks to `layer`.
    void record(Descriptor blob, DiffId layer, String repository) {
        // Pushed manifests call their layers gzip: one of another kind must not be found again as one.
        if (blob.mediaType().endsWith("gzip")) record(new KnownBlob(blob.digest(), repository, ""), layer);
    }

    synchronized void record(KnownBlob blob, DiffId layer) {
        try {
            replace(diffIdByDigest.resolve(blob.digest().hex()), layer.toString().getBytes(US_ASCII));
            Path sources = blobsByDiffId.resolve(layer.digest().hex());
            replace(sources, Json.MAPPER.writeValueAsBytes(withNewest(read(sources), blob)));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not note where layer " + layer + " came from: " + e);
        }
    }

    /// The layer that `blob` unpacks to, when that is known.
    Optional<DiffId> layerOf(Digest blob) {
        try {
            return Optional.of(DiffId.parse(Files.readString(diffIdByDigest.resolve(blob.hex()), US_ASCII).trim()));
        } catch (IOException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /// The blobs that `layer` is known as, the newest first.
    synchronized List<KnownBlob> of(DiffId layer) {
        List<KnownBlob> known = new ArrayList<>();
        for (JsonNode node : read(blobsByDiffId.resolve(layer.digest().hex()))) {
            try {
                known.addFirst(new KnownBlob(Digest.parse(node.path("Digest").asText()), node.path("SourceRepository").asText(),
                        node.path("HMAC").asText()));
            } catch (IllegalArgumentException e) {
                LOG.log(Level.DEBUG, "ignoring a damaged note on layer " + layer, e);
            }
        }
        return known;
    }

    /// Notes that `blob` is not there any more, or cannot be had from there.
    synchronized void forget(KnownBlob blob, DiffId layer) {
        Path sources = blobsByDiffId.resolve(layer.digest().hex());
        ArrayNode known = read(sources);
        try {
            if (!remove(known, blob)) return;
            if (known.isEmpty()) Files.deleteIfExists(sources);
            else replace(sources, Json.MAPPER.writeValueAsBytes(known));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not note that layer " + layer + " is not in " + blob.repository() + ": " + e);
        }
    }

    private static ArrayNode withNewest(ArrayNode known, KnownBlob blob) {
        remove(known, blob);
        known.add(json(blob));
        while (known.size() > MOST_SOURCES) known.remove(0);
        return known;
    }

    private static boolean remove(ArrayNode known, KnownBlob blob) {
        ObjectNode wanted = json(blob);
        int before = known.size();
        for (int i = before - 1; i >= 0; i--) {
            if (known.get(i).equals(wanted)) known.remove(i);
        }
        return known.size() < before;
    }

    private static ObjectNode json(KnownBlob blob) {
        return Json.MAPPER.createObjectNode()
                .put("Digest", blob.digest().toString())
                .put("SourceRepository", blob.repository())
                .put("HMAC", blob.hmac());
    }

    private static ArrayNode read(Path file) {
        try {
            JsonNode node = Json.MAPPER.readTree(Files.readString(file, UTF_8));
            if (node instanceof ArrayNode array) return array;
        } catch (IOException e) {
            // Not there yet, or damaged: it begins anew.
        }
        return Json.MAPPER.createArrayNode();
    }

    private void replace(Path file, byte[] content) throws IOException {
        if (Files.exists(file) && Arrays.equals(Files.readAllBytes(file), content)) return;
        Files.createDirectories(root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Files.createDirectories(file.getParent());
        Path temporary = Files.createTempFile(file.getParent(), ".tmp-", null);
        try {
            Files.write(temporary, content);
            Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-r--r--"));
            Files.move(temporary, file, ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }
}
