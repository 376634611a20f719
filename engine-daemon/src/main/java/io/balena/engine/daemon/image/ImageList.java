package io.balena.engine.daemon.image;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.Timestamps;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// What `docker images` and `docker system df` show.
public final class ImageList {
    private static final Set<String> FILTERS = Set.of("dangling", "label", "before", "since", "reference", "until");

    private final Images images;
    private final LayerStore layers;
    private final Images.ImageUsers users;

    public ImageList(Images images, LayerStore layers, Images.ImageUsers users) {
        this.images = images;
        this.layers = layers;
        this.users = users;
    }

    /// @param all also images that are only there because others are built on them
    /// @param usage work out what images share with others of this list, and how many containers use them
    /// @throws InvalidRequest for a filter nobody knows, or a value it cannot have
    public List<ImageSummary> list(ApiVersion version, Filters filters, boolean all, boolean usage) {
        filters.allow(FILTERS);
        List<Image> present = images.list();
        Predicate<Image> wanted = wanted(filters);
        Set<ImageId> parents = present.stream().flatMap(image -> image.parent().stream()).collect(Collectors.toSet());
        List<Image> listed = present.stream().filter(wanted)
                .filter(image -> all || !parents.contains(image.id()) || !images.references(image.id()).isEmpty()).toList();
        Map<ChainId, Integer> uses = usage ? uses(listed) : Map.of();
        List<ImageSummary> summaries = new ArrayList<>();
        for (Image image : listed) {
            List<ImageReference> shown = images.references(image.id());
            if (filters.has("reference")) {
                shown = shown.stream().filter(reference -> matches(reference, filters.get("reference"))).toList();
                if (shown.isEmpty()) continue;
            }
            long shared = usage ? sharedBytes(image, uses) : -1;
            int containers = usage ? users.usersOf(image.id()).size() : -1;
            summaries.add(summary(version, image, shown, shared, containers));
        }
        summaries.sort(Comparator.comparingLong(ImageSummary::created).reversed());
        return summaries;
    }

    /// Bytes of all layers, each counted once.
    public long layersSize() {
        Set<ChainId> seen = new HashSet<>();
        long bytes = 0;
        for (Image image : images.list()) {
            for (Layer layer : layersOf(image)) if (seen.add(layer.chainId())) bytes += layer.size();
        }
        return bytes;
    }

    /// The layers of `image` that are in the store, lowest first.
    List<Layer> layersOf(Image image) {
        List<Layer> found = new ArrayList<>();
        Optional<ChainId> chain = Optional.empty();
        for (DiffId diffId : image.diffIds()) {
            chain = Optional.of(ChainId.of(chain, diffId));
            layers.find(chain.get()).ifPresent(found::add);
        }
        return found;
    }

    private static ImageSummary summary(ApiVersion version, Image image, List<ImageReference> references, long sharedBytes,
            int containers) {
        List<String> tags = ImageDetails.tags(references);
        List<String> digests = ImageDetails.digests(references);
        // Go's empty list, as older Dockers show it.
        List<String> shown = digests.isEmpty() && !tags.isEmpty() && !version.atLeast(1, 43) ? null : digests;
        // Until 1.42 an image without a name had one made of "<none>".
        if (!version.atLeast(1, 43) && tags.isEmpty() && digests.isEmpty()) {
            tags = List.of("<none>:<none>");
            shown = List.of("<none>@<none>");
        } else if (!version.atLeast(1, 43) && tags.isEmpty()) {
            tags = digests.stream().map(digest -> digest.substring(0, digest.indexOf('@')) + ":<none>").distinct().toList();
        }
        var labels = image.config().path("config").get("Labels");
        return new ImageSummary(containers, ImageDetails.created(image).map(Instant::getEpochSecond).orElse(0L), image.id().toString(),
                labels == null || labels.isNull() ? null : labels, image.parent().map(ImageId::toString).orElse(""), shown, tags,
                sharedBytes, image.size(), version.atLeast(1, 44) ? null : image.size());
    }

    private Predicate<Image> wanted(Filters filters) {
        Predicate<Image> wanted = _ -> true;
        if (filters.has("dangling")) {
            boolean dangling = truth("dangling", filters);
            wanted = wanted.and(image -> images.references(image.id()).isEmpty() == dangling);
        }
        for (String label : filters.get("label")) wanted = wanted.and(image -> hasLabel(image, label));
        for (String name : filters.get("before")) {
            Instant limit = createdOf(name);
            wanted = wanted.and(image -> ImageDetails.created(image).orElse(Instant.MIN).isBefore(limit));
        }
        for (String name : filters.get("since")) {
            Instant limit = createdOf(name);
            wanted = wanted.and(image -> ImageDetails.created(image).orElse(Instant.MIN).isAfter(limit));
        }
        for (String until : filters.get("until")) {
            Instant limit = Timestamps.parse(until, Instant.now());
            wanted = wanted.and(image -> ImageDetails.created(image).orElse(Instant.MIN).isBefore(limit));
        }
        return wanted;
    }

    private Instant createdOf(String name) {
        return ImageDetails.created(images.resolve(name)).orElse(Instant.EPOCH);
    }

    /// @param wanted `key` or `key=value`
    static boolean hasLabel(Image image, String wanted) {
        int equals = wanted.indexOf('=');
        var value = image.config().path("config").path("Labels").get(equals < 0 ? wanted : wanted.substring(0, equals));
        return value != null && (equals < 0 || value.asText().equals(wanted.substring(equals + 1)));
    }

    /// @throws InvalidRequest when there is not exactly one boolean
    static boolean truth(String key, Filters filters) {
        Set<String> values = filters.get(key);
        if (values.size() == 1) {
            switch (values.iterator().next()) {
                case "1", "true", "True", "TRUE", "t", "T" -> {
                    return true;
                }
                case "0", "false", "False", "FALSE", "f", "F" -> {
                    return false;
                }
                default -> {}
            }
        }
        throw new InvalidRequest("Invalid filter '" + key + "=" + values + "'");
    }

    private static boolean matches(ImageReference reference, Set<String> patterns) {
        return patterns.stream().map(ReferencePattern::of)
                .anyMatch(pattern -> pattern.matches(reference.familiar()) || pattern.matches(reference.familiarName()));
    }

    private Map<ChainId, Integer> uses(List<Image> present) {
        Map<ChainId, Integer> uses = new HashMap<>();
        for (Image image : present) layersOf(image).forEach(layer -> uses.merge(layer.chainId(), 1, Integer::sum));
        return uses;
    }

    private long sharedBytes(Image image, Map<ChainId, Integer> uses) {
        return layersOf(image).stream().filter(layer -> uses.getOrDefault(layer.chainId(), 0) > 1).mapToLong(Layer::size).sum();
    }
}
