package io.balena.engine.daemon.image;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.graphdriver.Layer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The answer of `GET /images/{name}/history`: how the image came to be, newest step first.
final class ImageHistory {
    private ImageHistory() {}

    /// @param created seconds since the epoch
    /// @param id of the image for the newest step; `<missing>` for those made elsewhere
    record Step(
            @JsonProperty("Comment") String comment,
            @JsonProperty("Created") long created,
            @JsonProperty("CreatedBy") String createdBy,
            @JsonProperty("Id") String id,
            @JsonProperty("Size") long size,
            @JsonProperty("Tags") List<String> tags) {}

    /// @param layers of the image, lowest first
    /// @param made the image itself, its parent, the parent of that, and so on, as far as they are here: one for each step
    static List<Step> of(Image image, List<Layer> layers, List<Made> made) {
        JsonNode history = image.config().path("history");
        List<Step> steps = new ArrayList<>();
        int layer = 0;
        for (int i = 0; i < history.size(); i++) {
            JsonNode step = history.get(i);
            boolean empty = step.path("empty_layer").asBoolean(false);
            // More steps than layers: the history does not tell the truth, but that is no reason to hide it.
            long size = empty || layer >= layers.size() ? 0 : layers.get(layer++).size();
            int age = history.size() - 1 - i;
            Optional<Made> here = age < made.size() ? Optional.of(made.get(age)) : Optional.empty();
            steps.addFirst(new Step(
                    step.path("comment").asText(""),
                    ImageDetails.instant(step.path("created")).map(Instant::getEpochSecond).orElse(0L),
                    step.path("created_by").asText(""),
                    here.map(known -> known.id().toString()).orElse("<missing>"),
                    size,
                    here.map(Made::tags).filter(tags -> !tags.isEmpty()).orElse(null)));
        }
        return steps;
    }

    /// What a step of the history made.
    record Made(ImageId id, List<String> tags) {}
}
