package io.balena.engine.distribution;

import io.balena.engine.distribution.Images.ImageUsers;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// What `docker rmi` is going to do, worked out before anything is touched.
///
/// A name is taken away first; the image goes, quietly, when that was its last name. An id removes the image with all its names,
/// unless they are of several repositories. Children and running containers forbid it always, the rest until it is forced.
final class RemovalPlan {
    sealed interface Step {
        record Untag(ImageReference reference) implements Step {}

        record Delete(Image image) implements Step {}
    }

    private final ImageUsers users;
    private final List<Step> steps = new ArrayList<>();
    private Catalogue catalogue;

    private RemovalPlan(Catalogue catalogue, ImageUsers users) {
        this.catalogue = catalogue;
        this.users = users;
    }

    /// @throws DistributionException.Conflict with Docker's words
    static RemovalPlan of(Catalogue catalogue, String nameOrId, boolean force, boolean prune, ImageUsers users) {
        RemovalPlan plan = new RemovalPlan(catalogue, users);
        Image image = catalogue.resolve(nameOrId);
        if (isPrefixOf(image.id(), nameOrId)) plan.byId(image, force, prune);
        else plan.byName(Catalogue.read(nameOrId).decisive(), nameOrId, image, force, prune);
        return plan;
    }

    List<Step> steps() {
        return List.copyOf(steps);
    }

    /// The catalogue when all is done.
    Catalogue result() {
        return catalogue;
    }

    private void byName(ImageReference name, String asGiven, Image image, boolean force, boolean prune) {
        if (!force && inOneRepository(references(image))) {
            for (ImageUsers.User user : users.usersOf(image.id())) {
                throw new DistributionException.Conflict("conflict: unable to remove repository reference \"" + asGiven
                        + "\" (must force) - container " + shortId(user.containerId()) + " is using its referenced image "
                        + shortId(image));
            }
        }
        untag(name);
        if (name.digest().isEmpty()) untagDigestsLeftAloneIn(name, image);
        if (!references(image).isEmpty()) return;
        // The name is gone, which is what was asked for: that the image must stay is no error any more.
        if (conflict(image, force).isEmpty()) delete(image, prune);
    }

    private void byId(Image image, boolean force, boolean prune) {
        Optional<Conflict> conflict = conflict(image, force);
        boolean namesGoWithIt = inOneRepository(references(image));
        if (conflict.isPresent() && !(namesGoWithIt && conflict.get() == Conflict.REFERENCED)) throw refusal(image, conflict.get());
        if (!force && stopped(image).isPresent()) throw refusal(image, Conflict.STOPPED);
        delete(image, prune);
    }

    private void delete(Image image, boolean prune) {
        for (ImageReference reference : references(image)) untag(reference);
        steps.add(new Step.Delete(image));
        catalogue = catalogue.without(image.id());
        if (!prune) return;
        image.parent().flatMap(catalogue::find).ifPresent(parent -> {
            if (conflict(parent, false).isEmpty()) delete(parent, true);
        });
    }

    private void untag(ImageReference reference) {
        catalogue = catalogue.with(catalogue.references().without(reference));
        steps.add(new Step.Untag(reference));
    }

    /// Digests do not keep an image that has lost its last tag in their repository.
    private void untagDigestsLeftAloneIn(ImageReference repository, Image image) {
        List<ImageReference> left = references(image).stream()
                .filter(reference -> reference.fullName().equals(repository.fullName()))
                .toList();
        if (left.stream().allMatch(reference -> reference.digest().isPresent())) left.forEach(this::untag);
    }

    private List<ImageReference> references(Image image) {
        return catalogue.references().to(image.id());
    }

    /// In the order in which Docker looks for them.
    private enum Conflict { CHILDREN, RUNNING, REFERENCED, STOPPED }

    private Optional<Conflict> conflict(Image image, boolean force) {
        if (!catalogue.childrenOf(image.id()).isEmpty()) return Optional.of(Conflict.CHILDREN);
        if (running(image).isPresent()) return Optional.of(Conflict.RUNNING);
        if (force) return Optional.empty();
        if (!references(image).isEmpty()) return Optional.of(Conflict.REFERENCED);
        if (stopped(image).isPresent()) return Optional.of(Conflict.STOPPED);
        return Optional.empty();
    }

    private DistributionException refusal(Image image, Conflict conflict) {
        String unable = "conflict: unable to delete " + shortId(image);
        return new DistributionException.Conflict(switch (conflict) {
            case CHILDREN -> unable + " (cannot be forced) - image has dependent child images";
            case RUNNING -> unable + " (cannot be forced) - image is being used by running container " + running(image).orElseThrow();
            case REFERENCED -> unable + " (must be forced) - image is referenced in multiple repositories";
            case STOPPED -> unable + " (must be forced) - image is being used by stopped container " + stopped(image).orElseThrow();
        });
    }

    private Optional<String> running(Image image) {
        return user(image, true);
    }

    private Optional<String> stopped(Image image) {
        return user(image, false);
    }

    private Optional<String> user(Image image, boolean running) {
        return users.usersOf(image.id()).stream()
                .filter(user -> user.running() == running)
                .map(user -> shortId(user.containerId()))
                .findFirst();
    }

    /// Whether there is at most one tag, and nothing of another repository.
    private static boolean inOneRepository(List<ImageReference> references) {
        if (references.size() <= 1) return references.size() == 1;
        List<ImageReference> tags = references.stream().filter(reference -> reference.digest().isEmpty()).toList();
        if (tags.size() > 1) return false;
        Set<String> repositories = references.stream().map(ImageReference::fullName).collect(Collectors.toSet());
        return repositories.size() == 1;
    }

    private static boolean isPrefixOf(ImageId id, String text) {
        return id.toString().startsWith(text) || id.digest().hex().startsWith(text);
    }

    private static String shortId(Image image) {
        return image.id().digest().shortHex();
    }

    private static String shortId(String containerId) {
        return containerId.length() > 12 ? containerId.substring(0, 12) : containerId;
    }
}
