package io.balena.engine.distribution;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Which image each name means: the content of `repositories.json`. Immutable.
///
/// Names are kept as they are written, so that those we cannot read (a digest of another algorithm) survive a rewrite.
final class References {
    /// Familiar repository → familiar reference → image id, all sorted, as moby writes them.
    private final Map<String, Map<String, String>> repositories;

    private References(Map<String, Map<String, String>> repositories) {
        this.repositories = repositories;
    }

    static References none() {
        return new References(new TreeMap<>());
    }

    static References parse(byte[] json) throws Malformed {
        try {
            JsonNode root = Json.MAPPER.readTree(json);
            if (root == null || !root.path("Repositories").isObject()) throw new Malformed("no object of repositories in it");
            Map<String, Map<String, String>> read =
                    Json.MAPPER.convertValue(root.path("Repositories"), new TypeReference<TreeMap<String, Map<String, String>>>() {});
            read.replaceAll((repository, names) -> new TreeMap<>(names));
            return new References(read);
        } catch (IOException e) {
            throw new Malformed(Json.reason(e));
        } catch (IllegalArgumentException | NullPointerException e) {
            throw new Malformed("repositories are not maps from names to ids");
        }
    }

    byte[] toJson() {
        try {
            return Json.MAPPER.writeValueAsBytes(Map.of("Repositories", repositories));
        } catch (IOException e) {
            throw new AssertionError("maps of strings always become JSON", e);
        }
    }

    /// What the decisive part of `reference` means.
    Optional<ImageId> get(ImageReference reference) {
        ImageReference decisive = reference.decisive();
        return Optional.ofNullable(repositories.getOrDefault(decisive.familiarName(), Map.of()).get(decisive.familiar()))
                .flatMap(References::readId);
    }

    /// All readable references to `id`, sorted by repository, then name.
    List<ImageReference> to(ImageId id) {
        List<ImageReference> found = new ArrayList<>();
        String wanted = id.toString();
        for (Map<String, String> names : repositories.values()) {
            names.forEach((name, value) -> {
                if (value.equals(wanted)) readName(name).ifPresent(found::add);
            });
        }
        return List.copyOf(found);
    }

    /// All readable references in a repository, e.g. `busybox`, sorted.
    List<ImageReference> in(String familiarName) {
        List<ImageReference> found = new ArrayList<>();
        for (String name : repositories.getOrDefault(familiarName, Map.of()).keySet()) readName(name).ifPresent(found::add);
        return List.copyOf(found);
    }

    /// Whether anything is called `id`, readable or not.
    boolean name(ImageId id) {
        return repositories.values().stream().anyMatch(names -> names.containsValue(id.toString()));
    }

    References with(ImageReference reference, ImageId id) {
        ImageReference decisive = reference.decisive();
        Map<String, Map<String, String>> changed = new TreeMap<>(repositories);
        Map<String, String> names = new TreeMap<>(changed.getOrDefault(decisive.familiarName(), Map.of()));
        names.put(decisive.familiar(), id.toString());
        changed.put(decisive.familiarName(), names);
        return new References(changed);
    }

    References without(ImageReference reference) {
        ImageReference decisive = reference.decisive();
        Map<String, Map<String, String>> changed = new TreeMap<>(repositories);
        Map<String, String> names = new TreeMap<>(changed.getOrDefault(decisive.familiarName(), Map.of()));
        names.remove(decisive.familiar());
        if (names.isEmpty()) changed.remove(decisive.familiarName());
        else changed.put(decisive.familiarName(), names);
        return new References(changed);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof References that && repositories.equals(that.repositories);
    }

    @Override
    public int hashCode() {
        return repositories.hashCode();
    }

    private static Optional<ImageId> readId(String text) {
        try {
            return Optional.of(ImageId.parse(text));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static Optional<ImageReference> readName(String text) {
        try {
            return Optional.of(ImageReference.parse(text));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message);
        }
    }
}
