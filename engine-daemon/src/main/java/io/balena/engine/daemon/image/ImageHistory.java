package io.balena.engine.daemon.image;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.Layer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The answer of `GET /images/{name}/history`: how the image came to be, newest step first.
final class ImageHistory {
    private final Images images;

    ImageHistory(Images images) {
        this.images = images;
    }

    /// @param created seconds since the epoch
    /// @param id of the image that this step made; `<missing>` for one made elsewhere
    record Step(
            @JsonProperty("Comment") String comment,
            @JsonProperty("Created") long created,
            @JsonProperty("CreatedBy") String createdBy,
            @JsonProperty("Id") String id,
            @JsonProperty("Size") long size,
            @JsonProperty("Tags") List<String> tags) {

        private Step of(String image, List<String> itsTags) {
            return new Step(comment, created, createdBy, image, size, itsTags);
        }
    }

    /// @param layers of the image, lowest first
    List<Step> of(Image image, List<Layer> layers) {
        JsonNode history = image.config().path("history");
        List<Step> steps = new ArrayList<>();
        int layer = 0;
        for (int i = 0; i < history.size(); i++) {
            JsonNode step = history.get(i);
            boolean empty = step.path("empty_layer").asBoolean(false);
            // More steps than layers: the history does not tell the truth, but that is no reason to hide it.
            long size = empty || layer >= layers.size() ? 0 : layers.get(layer++).size();
            steps.addFirst(new Step(
                    step.path("comment").asText(""),
                    ImageDetails.instant(step.path("created")).map(Instant::getEpochSecond).orElse(0L),
                    step.path("created_by").asText(""),
                    "<missing>",
                    size,
                    null));
        }
        return named(steps, image);
    }

    /// What was built here has an image for each step, each the parent of the next.
    private List<Step> named(List<Step> steps, Image newest) {
        Optional<Image> made = Optional.of(newest);
        for (int i = 0; i < steps.size() && made.isPresent(); i++) {
            Image image = made.get();
            List<String> tags = ImageDetails.tags(images.references(image.id()));
            steps.set(i, steps.get(i).of(image.id().toString(), tags.isEmpty() ? null : tags));
            made = image.parent().flatMap(images::find);
        }
        return steps;
    }
}
