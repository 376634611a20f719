package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;

/// What `docker commit` makes an image of, besides the changed files.
///
/// @param parent the image that the container was made from; empty for one made from nothing
/// @param containerId 64 hexadecimal digits
/// @param createdBy the container's command, as the image's history tells it
/// @param config of the image to be
/// @param containerConfig of the container
/// @param author e.g. `Jane <jane@example.com>`; may be empty
/// @param engineVersion the `docker_version` of the image
public record Commit(Optional<ImageId> parent, String containerId, String createdBy, ObjectNode config, ObjectNode containerConfig,
        String author, String comment, String engineVersion, Optional<ImageReference> name) {}
