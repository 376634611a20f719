package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Layer;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/// Looks whether a registry has a layer already: in the repository it is pushed to, then in others, from where the registry can take it
/// over. Whatever a layer was pulled as or pushed as before is known ([BlobRecords]), so that it keeps its digest.
///
/// It asks as often as dockerd does: each time costs a round trip, and a small layer is soon sent.
final class LayerSearch {
    private static final Logger LOG = System.getLogger(LayerSearch.class.getName());

    sealed interface Found {
        record InRepository(Descriptor blob) implements Found {}

        /// @param source path of the repository that the registry took it from
        record Mounted(Descriptor blob, String source) implements Found {}

        /// @param begun an upload, when asking for the layer began one
        record Nowhere(Optional<UploadSession> begun) implements Found {}
    }

    /// @param mounts other repositories to try
    /// @param checks digests to ask the repository for
    /// @param anyRepository whether all those may be of blobs that were seen only elsewhere; the first one may
    private record Effort(int mounts, int checks, boolean anyRepository) {
        /// @param size bytes of the layer, unpacked
        static Effort worth(long size) {
            if (size > 10 << 20) return new Effort(4, 3, true);
            if (size > 100 << 10) return new Effort(3, 1, false);
            return new Effort(1, 1, false);
        }
    }

    private final RemoteBlobs blobs;
    private final ImageReference target;
    private final Layer layer;
    private final LoginMark login;
    private final boolean anonymous;
    private final BlobRecords records;
    private final Effort effort;
    private final List<KnownBlob> known;
    private final Set<Digest> checked = new HashSet<>();

    /// @param target the repository to push to
    LayerSearch(RemoteBlobs blobs, ImageReference target, Layer layer, Credentials credentials, BlobRecords records) {
        this.blobs = blobs;
        this.target = target;
        this.layer = layer;
        this.login = LoginMark.of(credentials);
        this.anonymous = credentials instanceof Credentials.Anonymous;
        this.records = records;
        this.effort = Effort.worth(layer.size());
        this.known = records.of(layer.diffId()).stream().sorted(mostLikelyFirst()).toList();
    }

    Found run() throws IOException {
        Optional<Descriptor> there = check(1, true);
        if (there.isPresent()) return new Found.InRepository(there.get());
        Optional<UploadSession> begun = Optional.empty();
        for (KnownBlob candidate : mountable()) {
            Found found = mount(candidate);
            if (found instanceof Found.Nowhere(Optional<UploadSession> another)) {
                if (another.isEmpty()) continue;
                begun.ifPresent(UploadSession::abandon);
                begun = another;
            } else {
                begun.ifPresent(UploadSession::abandon);
                return found;
            }
        }
        there = check(effort.checks() - checked.size(), effort.anyRepository());
        if (there.isEmpty()) return new Found.Nowhere(begun);
        begun.ifPresent(UploadSession::abandon);
        return new Found.InRepository(there.get());
    }

    /// First what the same login pushed, then what lies in a repository whose name begins alike, then the newest.
    private Comparator<KnownBlob> mostLikelyFirst() {
        return Comparator.<KnownBlob, Boolean>comparing(blob -> !login.made(blob))
                .thenComparing(blob -> -commonParts(blob.repository(), target.fullName()));
    }

    private static int commonParts(String a, String b) {
        String[] left = a.split("/");
        String[] right = b.split("/");
        int count = 0;
        while (count < Math.min(left.length, right.length) && left[count].equals(right[count])) count++;
        return count;
    }

    private Optional<Descriptor> check(int atMost, boolean anyRepository) throws IOException {
        List<KnownBlob> candidates = known.stream()
                .filter(blob -> anyRepository || blob.repository().isEmpty() || isInTarget(blob))
                .filter(blob -> !checked.contains(blob.digest()))
                .toList();
        int asked = 0;
        for (KnownBlob candidate : candidates) {
            if (asked == atMost) break;
            if (!checked.add(candidate.digest())) continue;
            asked++;
            OptionalLong size = sizeOf(candidate);
            if (size.isEmpty()) continue;
            if (!isInTarget(candidate) || !login.made(candidate)) note(candidate.digest());
            return Optional.of(descriptor(candidate.digest(), size.getAsLong()));
        }
        return Optional.empty();
    }

    private OptionalLong sizeOf(KnownBlob blob) throws IOException {
        try {
            OptionalLong size = blobs.sizeOf(blob.digest());
            if (size.isEmpty() && isInTarget(blob)) records.forget(blob, layer.diffId());
            return size;
        } catch (RegistryFailure e) {
            // Should we not be allowed to ask, we may still be allowed to push.
            LOG.log(Level.DEBUG, "could not ask for layer " + blob.digest(), e);
            return OptionalLong.empty();
        }
    }

    private List<KnownBlob> mountable() {
        return known.stream()
                .filter(blob -> !isInTarget(blob) && source(blob).isPresent())
                .limit(effort.mounts())
                .toList();
    }

    private Found mount(KnownBlob candidate) throws IOException {
        String source = source(candidate).orElseThrow();
        Optional<UploadSession> begun;
        try {
            begun = blobs.mount(candidate.digest(), source);
            OptionalLong size = begun.isEmpty() ? blobs.sizeOf(candidate.digest()) : OptionalLong.empty();
            if (size.isPresent()) {
                note(candidate.digest());
                return new Found.Mounted(descriptor(candidate.digest(), size.getAsLong()), source);
            }
        } catch (RegistryFailure e) {
            LOG.log(Level.DEBUG, "could not mount layer " + candidate.digest() + " from " + source, e);
            boolean saysNothingOfIt = e.passing() || e.status() == 401 && anonymous;
            if (saysNothingOfIt) return new Found.Nowhere(Optional.empty());
            begun = Optional.empty();
        }
        boolean ours = candidate.hmac().isEmpty() || login.made(candidate);
        if (ours) records.forget(candidate, layer.diffId());
        return new Found.Nowhere(begun);
    }

    /// Path of the repository that may lend it, if it is of the same registry.
    private Optional<String> source(KnownBlob blob) {
        try {
            ImageReference repository = ImageReference.parse(blob.repository());
            return repository.domain().equals(target.domain()) ? Optional.of(repository.path()) : Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private boolean isInTarget(KnownBlob blob) {
        return blob.repository().equals(target.fullName());
    }

    private void note(Digest blob) {
        records.record(login.mark(blob, target.fullName()), layer.diffId());
    }

    private static Descriptor descriptor(Digest blob, long size) {
        return new Descriptor(Manifest.SCHEMA2_LAYER, blob, size);
    }
}
