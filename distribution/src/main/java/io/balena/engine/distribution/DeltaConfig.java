package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.DiffId;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;

/// The configuration of a delta image, as balenaEngine writes it. Top-level keys are sorted, as moby's are.
///
/// @param target configuration of the image that it gives, byte for byte
record DeltaConfig(ImageId base, byte[] target, Instant created) {
    DeltaConfig {
        if (!Arrays.equals(new String(target, UTF_8).getBytes(UTF_8), target)) {
            throw new DistributionException.InvalidContent("the configuration of the target image is no text, which a label must be", null);
        }
    }

    /// @param layers that hold the deltas
    byte[] document(List<DiffId> layers) {
        ObjectNode config = ContainerConfig.empty();
        config.putObject("Labels").put(DeltaImage.BASE_LABEL, base.toString()).put(DeltaImage.TARGET_LABEL, new String(target, UTF_8));
        ObjectNode image = Json.MAPPER.createObjectNode();
        image.set("config", config);
        image.set("container_config", ContainerConfig.empty());
        image.put("created", Rfc3339.text(created));
        ArrayNode diffIds = image.putObject("rootfs").put("type", "layers").putArray("diff_ids");
        layers.forEach(layer -> diffIds.add(layer.toString()));
        return Json.bytes(image);
    }
}
