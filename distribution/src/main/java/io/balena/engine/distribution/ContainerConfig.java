package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.node.ObjectNode;

/// The `config` object of an image, with the fields in Docker's order and spelling.
final class ContainerConfig {
    private ContainerConfig() {}

    static ObjectNode empty() {
        return Json.MAPPER.createObjectNode()
                .put("Hostname", "")
                .put("Domainname", "")
                .put("User", "")
                .put("AttachStdin", false)
                .put("AttachStdout", false)
                .put("AttachStderr", false)
                .put("Tty", false)
                .put("OpenStdin", false)
                .put("StdinOnce", false)
                .putNull("Env")
                .putNull("Cmd")
                .put("Image", "")
                .putNull("Volumes")
                .put("WorkingDir", "")
                .putNull("Entrypoint")
                .putNull("OnBuild")
                .putNull("Labels");
    }
}
