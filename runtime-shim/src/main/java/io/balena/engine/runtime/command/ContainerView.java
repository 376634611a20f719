package io.balena.engine.runtime.command;

import io.balena.engine.runtime.container.Container;
import io.balena.engine.runtime.container.ContainerStatus;
import io.balena.engine.runtime.container.StateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/// What `state` and `list` say of a container.
///
/// @param pid 0 when it has ended
/// @param created as RFC 3339 has it, to the nanosecond
/// @param owner name of who created it
record ContainerView(
        String id,
        String version,
        int pid,
        ContainerStatus status,
        String bundle,
        String rootfs,
        String created,
        Map<String, String> annotations,
        String owner) {

    static ContainerView of(String id, Container container, Path folder, String owner) throws IOException {
        var status = container.status();
        var spec = container.spec();
        Path kept = folder.resolve(StateFile.SPEC);
        // Written once, when the container was created.
        String created = Files.getLastModifiedTime(Files.exists(kept) ? kept : folder).toInstant().toString();
        return new ContainerView(
                id,
                spec.ociVersion() == null ? "" : spec.ociVersion(),
                status == ContainerStatus.STOPPED ? 0 : container.process().pid(),
                status,
                container.bundle().toString(),
                container.bundle().resolve(spec.root().path()).normalize().toString(),
                created,
                new TreeMap<>(spec.annotations()),
                owner);
    }

    void writeTo(JsonOut json) {
        json.beginObject()
                .field("ociVersion", version)
                .field("id", id)
                .field("pid", pid)
                .field("status", status.toString())
                .field("bundle", bundle)
                .field("rootfs", rootfs)
                .field("created", created);
        if (!annotations.isEmpty()) {
            json.name("annotations").beginObject();
            annotations.forEach(json::field);
            json.endObject();
        }
        json.field("owner", owner).endObject();
    }
}
