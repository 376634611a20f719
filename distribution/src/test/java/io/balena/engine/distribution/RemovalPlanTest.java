package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.distribution.Images.ImageUsers;
import io.balena.engine.graphdriver.Digest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RemovalPlanTest {
    private static final ImageId ID = id("image");
    private static final ImageId PARENT = id("parent");
    private static final ImageUsers NOBODY = _ -> List.of();
    private static final ImageUsers STOPPED = users(false);
    private static final ImageUsers RUNNING = users(true);
    private static final String SHORT = ID.digest().shortHex();

    @Test
    void theLastNameTakesTheImageAlong() {
        assertEquals(List.of("untag app:1", "delete image"), plan(named("app:1"), "app:1", false, NOBODY));
    }

    @Test
    void anotherNameKeepsTheImage() {
        assertEquals(List.of("untag app:1"), plan(named("app:1", "app:2"), "app:1", false, RUNNING));
    }

    @Test
    void theLastTagTakesItsRepositorysDigestsAlong() {
        String digest = "app@" + id("manifest");
        assertEquals(List.of("untag app:1", "untag " + digest, "delete image"), plan(named("app:1", digest), "app:1", false, NOBODY));
        assertEquals(List.of("untag app:1"), plan(named("app:1", "app:2", digest), "app:1", false, NOBODY));
        assertEquals(List.of("untag app:1", "untag " + digest), plan(named("app:1", digest, "other:1"), "app:1", false, NOBODY));
    }

    @Test
    void theLastNameOfAnImageInUseStaysUnlessForced() {
        assertEquals(
                "conflict: unable to remove repository reference \"app:1\" (must force) - container 0123456789ab is using its referenced image "
                        + SHORT,
                refusal(named("app:1"), "app:1", false, STOPPED));
        assertEquals(List.of("untag app:1", "delete image"), plan(named("app:1"), "app:1", true, STOPPED));
    }

    @Test
    void forceTakesTheNameButNotTheImageFromARunningContainer() {
        assertEquals(List.of("untag app:1"), plan(named("app:1"), "app:1", true, RUNNING));
    }

    @Test
    void anIdRemovesAllNamesOfOneRepository() {
        String digest = "app@" + id("manifest");
        assertEquals(List.of("untag app:1", "untag " + digest, "delete image"), plan(named("app:1", digest), SHORT, false, NOBODY));
        assertEquals(List.of("delete image"), plan(named(), ID.toString(), false, NOBODY));
    }

    @Test
    void anIdWithNamesInSeveralRepositoriesMustBeForced() {
        assertEquals(
                "conflict: unable to delete " + SHORT + " (must be forced) - image is referenced in multiple repositories",
                refusal(named("app:1", "other:1"), SHORT, false, NOBODY));
        assertEquals(List.of("untag app:1", "untag other:1", "delete image"), plan(named("app:1", "other:1"), SHORT, true, NOBODY));
    }

    @Test
    void anIdInUseIsRefusedInDockersWords() {
        assertEquals(
                "conflict: unable to delete " + SHORT + " (must be forced) - image is being used by stopped container 0123456789ab",
                refusal(named("app:1"), SHORT, false, STOPPED));
        assertEquals(
                "conflict: unable to delete " + SHORT + " (cannot be forced) - image is being used by running container 0123456789ab",
                refusal(named("app:1"), SHORT, true, RUNNING));
        assertEquals(List.of("untag app:1", "delete image"), plan(named("app:1"), SHORT, true, STOPPED));
    }

    @Test
    void aParentStaysForItsChildren() {
        assertEquals(
                "conflict: unable to delete " + PARENT.digest().shortHex() + " (cannot be forced) - image has dependent child images",
                refusal(named("app:1"), PARENT.digest().shortHex(), true, NOBODY));
    }

    @Test
    void pruningTakesNamelessParentsAlong() {
        assertEquals(List.of("untag app:1", "delete image", "delete parent"), plan(named("app:1"), "app:1", false, true, NOBODY));
        Catalogue keptParent = named("app:1");
        keptParent = keptParent.with(keptParent.references().with(ImageReference.parse("base:1"), PARENT));
        assertEquals(List.of("untag app:1", "delete image"), plan(keptParent, "app:1", false, true, NOBODY));
    }

    @Test
    void whatIsNotThereIsNamedWithItsTag() {
        assertEquals("No such image: nosuch:latest", assertThrows(DistributionException.NoSuchImage.class, () -> plan(named(), "nosuch", false, NOBODY)).getMessage());
        assertEquals("No such image: " + id("x"), assertThrows(DistributionException.NoSuchImage.class, () -> plan(named(), id("x").toString(), false, NOBODY)).getMessage());
        assertEquals("invalid reference format", assertThrows(DistributionException.InvalidRequest.class, () -> plan(named(), "bad name", false, NOBODY)).getMessage());
    }

    private static String refusal(Catalogue catalogue, String name, boolean force, ImageUsers users) {
        return assertThrows(DistributionException.Conflict.class, () -> plan(catalogue, name, force, users)).getMessage();
    }

    private static List<String> plan(Catalogue catalogue, String name, boolean force, ImageUsers users) {
        return plan(catalogue, name, force, false, users);
    }

    private static List<String> plan(Catalogue catalogue, String name, boolean force, boolean prune, ImageUsers users) {
        return RemovalPlan.of(catalogue, name, force, prune, users).steps().stream()
                .map(step -> switch (step) {
                    case RemovalPlan.Step.Untag(ImageReference reference) -> "untag " + reference.familiar();
                    case RemovalPlan.Step.Delete(Image image) -> "delete " + (image.id().equals(ID) ? "image" : "parent");
                })
                .toList();
    }

    /// The image, with these names, and its nameless parent.
    private static Catalogue named(String... names) {
        Map<ImageId, Image> images = new HashMap<>();
        images.put(ID, new Image(ID, null, List.of(), Optional.of(PARENT), 0));
        images.put(PARENT, new Image(PARENT, null, List.of(), Optional.empty(), 0));
        References references = References.none();
        for (String name : names) references = references.with(ImageReference.parse(name), ID);
        return new Catalogue(images, references);
    }

    private static ImageId id(String text) {
        return new ImageId(Digest.of(text.getBytes()));
    }

    private static ImageUsers users(boolean running) {
        return id -> id.equals(ID) ? List.of(new ImageUsers.User("0123456789abcdef", running)) : List.of();
    }
}
