package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// The files that describe one layer: `cache-id`, `diff`, `size`, `parent` and `tar-split.json.gz` in one folder, which has the
/// chain's name once it is published.
record LayerFiles(Path folder) {
    /// What these files say.
    record Content(CacheId cacheId, DiffId diffId, long size, Optional<ChainId> parent) {}

    Path cacheId() {
        return folder.resolve("cache-id");
    }

    Path tarSplit() {
        return folder.resolve("tar-split.json.gz");
    }

    Path descriptor() {
        return folder.resolve("descriptor.json");
    }

    Content read() throws IOException {
        String cacheId = text("cache-id");
        String diff = text("diff");
        String size = text("size");
        try {
            Optional<ChainId> parent = Files.exists(folder.resolve("parent"))
                    ? Optional.of(ChainId.parse(text("parent"))) : Optional.empty();
            return new Content(new CacheId(cacheId), DiffId.parse(diff), Long.parseLong(size), parent);
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /// Writes all but `cache-id`, which has to be there from the beginning, and the tar-split record.
    void write(DiffId diffId, long size, Optional<ChainId> parent) throws IOException {
        Files.write(folder.resolve("diff"), diffId.toString().getBytes(US_ASCII));
        Files.write(folder.resolve("size"), Long.toString(size).getBytes(US_ASCII));
        if (parent.isPresent()) Files.write(folder.resolve("parent"), parent.get().toString().getBytes(US_ASCII));
    }

    private String text(String name) throws IOException {
        return Files.readString(folder.resolve(name), US_ASCII).strip();
    }
}
