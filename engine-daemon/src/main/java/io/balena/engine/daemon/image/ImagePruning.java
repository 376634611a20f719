package io.balena.engine.daemon.image;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.Timestamps;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// `POST /images/prune`: removes images nobody uses.
record ImagePruning(Images images, ImageList list, Images.ImageUsers users, ImageEvents events) {
    private static final Set<String> FILTERS = Set.of("dangling", "label", "label!", "until");

    Response prune(Request request) throws IOException {
        Filters filters = request.filters();
        filters.allow(FILTERS);
        boolean danglingOnly = !filters.has("dangling") || ImageList.truth("dangling", filters);
        Predicate<Image> wanted = wanted(filters);

        long before = list.layersSize();
        Set<ImageId> parents = images.list().stream().flatMap(image -> image.parent().stream()).collect(Collectors.toSet());
        List<Map<String, String>> deleted = new ArrayList<>();
        // The newest first: what is built on others goes before them.
        Comparator<Image> byAge = Comparator.comparing(image -> ImageDetails.created(image).orElse(Instant.EPOCH));
        for (Image image : images.list().stream().sorted(byAge.reversed()).toList()) {
            List<ImageReference> references = images.references(image.id());
            boolean named = references.stream().anyMatch(reference -> reference.tag().isPresent());
            boolean built = parents.contains(image.id()) && (danglingOnly || references.isEmpty());
            if (built || danglingOnly && named || !wanted.test(image) || images.find(image.id()).isEmpty()) continue;
            // Who has a container keeps all its names; asking first, since a name may be taken away while the image stays.
            if (!users.usersOf(image.id()).isEmpty()) continue;
            deleted.addAll(remove(image, references));
        }
        long reclaimed = Math.max(0, before - list.layersSize()) + images.removeUnusedLayers();
        events.events().publish("image", "prune", "", Map.of("reclaimed", Long.toString(reclaimed)));

        Map<String, Object> report = new LinkedHashMap<>();
        report.put("ImagesDeleted", deleted.isEmpty() ? null : deleted);
        report.put("SpaceReclaimed", reclaimed);
        return Response.json(report);
    }

    private List<Map<String, String>> remove(Image image, List<ImageReference> references) throws IOException {
        List<String> names = references.isEmpty() ? List.of(image.id().toString()) : references.stream().map(ImageReference::familiar).toList();
        List<Map<String, String>> deleted = new ArrayList<>();
        for (String name : names) {
            try {
                deleted.addAll(ImageRoutes.told(images.remove(name, false, true, users), image, events));
            } catch (DistributionException.Conflict | DistributionException.NoSuchImage e) {
                // Used, or gone, since we looked: what prune is not there for.
            }
        }
        return deleted;
    }

    private static Predicate<Image> wanted(Filters filters) {
        Predicate<Image> wanted = _ -> true;
        for (String label : filters.get("label")) wanted = wanted.and(image -> ImageList.hasLabel(image, label));
        for (String label : filters.get("label!")) wanted = wanted.and(image -> !ImageList.hasLabel(image, label));
        Set<String> until = filters.get("until");
        if (until.size() > 1) throw new InvalidRequest("more than one until filter specified");
        if (!until.isEmpty()) {
            Instant limit = Timestamps.parse(until.iterator().next(), Instant.now());
            Optional<Instant> unknown = Optional.of(Instant.EPOCH);
            wanted = wanted.and(image -> ImageDetails.created(image).or(() -> unknown).get().isBefore(limit));
        }
        return wanted;
    }
}
