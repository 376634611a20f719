package io.balena.engine.distribution;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The images of the store and their names at one moment. Immutable.
record Catalogue(Map<ImageId, Image> images, References references) {
    Catalogue {
        images = Map.copyOf(images);
    }

    Optional<Image> find(ImageId id) {
        return Optional.ofNullable(images.get(id));
    }

    /// @throws DistributionException.NoSuchImage in Docker's words, with the tag that was assumed
    Image resolve(String nameOrId) {
        if (nameOrId.matches("(sha256:)?[0-9a-f]{64}")) {
            ImageId id = ImageId.parse(nameOrId.startsWith("sha256:") ? nameOrId : "sha256:" + nameOrId);
            return find(id).orElseThrow(() -> new DistributionException.NoSuchImage(id.toString()));
        }
        ImageReference reference = read(nameOrId);
        return references.get(reference)
                .flatMap(this::find)
                .or(() -> byPrefix(nameOrId))
                .orElseThrow(() -> new DistributionException.NoSuchImage(reference.withDefaultTag().familiar()));
    }

    List<Image> childrenOf(ImageId id) {
        return images.values().stream().filter(image -> image.parent().equals(Optional.of(id))).toList();
    }

    Catalogue with(References changed) {
        return new Catalogue(images, changed);
    }

    Catalogue with(Image image) {
        Map<ImageId, Image> more = new HashMap<>(images);
        more.put(image.id(), image);
        return new Catalogue(more, references);
    }

    Catalogue without(ImageId id) {
        Map<ImageId, Image> fewer = new HashMap<>(images);
        fewer.remove(id);
        return new Catalogue(fewer, references);
    }

    static ImageReference read(String name) {
        try {
            return ImageReference.parse(name);
        } catch (IllegalArgumentException e) {
            throw new DistributionException.InvalidRequest(e.getMessage());
        }
    }

    /// An ambiguous prefix finds nothing, as in Docker.
    private Optional<Image> byPrefix(String text) {
        String hex = text.startsWith("sha256:") ? text.substring("sha256:".length()) : text;
        if (!hex.matches("[0-9a-f]{1,64}")) return Optional.empty();
        List<Image> found = images.values().stream()
                .filter(image -> image.id().digest().hex().startsWith(hex))
                .limit(2)
                .toList();
        return found.size() == 1 ? Optional.of(found.getFirst()) : Optional.empty();
    }
}
