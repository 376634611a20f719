package io.balena.engine.distribution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.DiffId;
import java.time.Instant;
import java.util.List;

/// The configuration that `docker import` gives to a bare tar. Top-level keys are sorted, as moby writes them.
final class ImportedImage {
    private final String comment;
    private final ObjectNode config;
    private final Instant created;

    /// @param message its comment; empty for Docker's own
    /// @throws DistributionException.InvalidRequest when a change cannot be made
    ImportedImage(String message, List<String> changes, Instant created) {
        this.comment = message.isEmpty() ? "Imported from -" : message;
        this.config = ContainerConfig.empty();
        this.created = created;
        new ConfigChanges(config).apply(changes);
    }

    byte[] config(DiffId layer) {
        Platform here = Platform.ofThisMachine();
        ObjectNode image = Json.MAPPER.createObjectNode();
        image.put("architecture", here.architecture());
        image.put("comment", comment);
        image.set("config", config);
        image.set("container_config", ContainerConfig.empty());
        image.put("created", Rfc3339.text(created));
        image.putArray("history").addObject().put("created", Rfc3339.text(created)).put("comment", comment);
        image.put("os", here.os());
        image.putObject("rootfs").put("type", "layers").putArray("diff_ids").add(layer.toString());
        if (!here.variant().isEmpty()) image.put("variant", here.variant());
        try {
            return Json.MAPPER.writeValueAsBytes(image);
        } catch (JsonProcessingException e) {
            throw new AssertionError("a tree always becomes JSON", e);
        }
    }
}
