package io.balena.engine.distribution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.time.Instant;
import java.util.Optional;

/// The configuration of a committed image: its parent's, one step later. Top-level keys are sorted, as moby writes them.
record CommittedImage(Commit commit, Optional<Image> parent, Instant created) {
    /// The diff of a container that has changed nothing: a tar of no members. It makes no layer, only a step of history.
    private static final DiffId NO_CHANGE = new DiffId(Digest.of(new byte[1024]));

    static boolean isEmpty(DiffId diff) {
        return diff.equals(NO_CHANGE);
    }

    byte[] config(DiffId diff) {
        JsonNode base = parent.<JsonNode>map(Image::config).orElseGet(Json.MAPPER::createObjectNode);
        ObjectNode image = Json.MAPPER.createObjectNode();
        image.put("architecture", base.path("architecture").asText(Platform.ofThisMachine().architecture()));
        if (!commit.author().isEmpty()) image.put("author", commit.author());
        image.set("config", commit.config());
        image.put("container", commit.containerId());
        image.set("container_config", commit.containerConfig());
        image.put("created", Rfc3339.text(created));
        image.put("docker_version", commit.engineVersion());
        ArrayNode history = image.putArray("history");
        base.path("history").forEach(history::add);
        history.add(step(diff));
        image.put("os", base.path("os").asText(Platform.ofThisMachine().os()));
        keep(image, base, "os.features");
        keep(image, base, "os.version");
        ArrayNode layers = image.putObject("rootfs").put("type", "layers").putArray("diff_ids");
        parent.ifPresent(below -> below.diffIds().forEach(layer -> layers.add(layer.toString())));
        if (!isEmpty(diff)) layers.add(diff.toString());
        keep(image, base, "variant");
        try {
            return Json.MAPPER.writeValueAsBytes(image);
        } catch (JsonProcessingException e) {
            throw new AssertionError("a tree always becomes JSON", e);
        }
    }

    private ObjectNode step(DiffId diff) {
        ObjectNode step = Json.MAPPER.createObjectNode().put("created", Rfc3339.text(created));
        if (!commit.author().isEmpty()) step.put("author", commit.author());
        if (!commit.createdBy().isEmpty()) step.put("created_by", commit.createdBy());
        if (!commit.comment().isEmpty()) step.put("comment", commit.comment());
        if (isEmpty(diff)) step.put("empty_layer", true);
        return step;
    }

    private static void keep(ObjectNode image, JsonNode base, String field) {
        if (base.hasNonNull(field)) image.set(field, base.get(field));
    }
}
