package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// The files that describe one container's layer: `mount-id`, `init-id` and `parent` in `layerdb/mounts/<container>`.
record MountFiles(Path folder) {
    /// @param init absent when there is nothing between the image and the container's own layer
    record Content(CacheId mount, Optional<CacheId> init, Optional<ChainId> parent) {}

    Content read() throws IOException {
        try {
            Optional<CacheId> init = text("init-id").map(CacheId::new);
            Optional<ChainId> parent = text("parent").map(ChainId::parse);
            CacheId mount = new CacheId(text("mount-id").orElseThrow(() -> new IOException("no mount-id")));
            return new Content(mount, init, parent);
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    void write(Content content) throws IOException {
        Files.write(folder.resolve("mount-id"), content.mount().text().getBytes(US_ASCII));
        if (content.init().isPresent()) {
            Files.write(folder.resolve("init-id"), content.init().get().text().getBytes(US_ASCII));
        }
        if (content.parent().isPresent()) {
            Files.write(folder.resolve("parent"), content.parent().get().toString().getBytes(US_ASCII));
        }
    }

    private Optional<String> text(String name) throws IOException {
        Path file = folder.resolve(name);
        return Files.exists(file) ? Optional.of(Files.readString(file, US_ASCII).strip()) : Optional.empty();
    }
}
