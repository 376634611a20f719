package io.balena.engine.graphdriver;

import java.nio.file.Path;
import java.util.Optional;

/// Where things lie below the data root. Every path of this module is built here.
///
/// @param mountPoints where layers are mounted while they are; empty for a folder `merged` beside their files, as in moby
record StorePaths(Path root, Optional<Path> mountPoints) {
    Path overlay() {
        return root.resolve("overlay2");
    }

    Path folder(CacheId id) {
        return overlay().resolve(id.text());
    }

    Path diff(CacheId id) {
        return folder(id).resolve("diff");
    }

    Path work(CacheId id) {
        return folder(id).resolve("work");
    }

    Path merged(CacheId id) {
        return mountPoints.map(folder -> folder.resolve(id.text())).orElseGet(() -> mergedBesideFiles(id));
    }

    /// Where moby would mount it.
    Path mergedBesideFiles(CacheId id) {
        return folder(id).resolve("merged");
    }

    Path link(CacheId id) {
        return folder(id).resolve("link");
    }

    Path lower(CacheId id) {
        return folder(id).resolve("lower");
    }

    Path committed(CacheId id) {
        return folder(id).resolve("committed");
    }

    Path links() {
        return overlay().resolve("l");
    }

    Path imageFolder() {
        return root.resolve("image/overlay2");
    }

    Path layerdb() {
        return imageFolder().resolve("layerdb");
    }

    Path layers() {
        return layerdb().resolve("sha256");
    }

    Path layer(ChainId chain) {
        return layers().resolve(chain.digest().hex());
    }

    Path mounts() {
        return layerdb().resolve("mounts");
    }

    Path mount(String containerId) {
        return mounts().resolve(containerId);
    }

    Path unfinished() {
        return layerdb().resolve("tmp");
    }

    /// Snapshots of Docker's BuildKit lie in `overlay2`, too, known to it alone.
    Path buildkit() {
        return root.resolve("buildkit");
    }
}
