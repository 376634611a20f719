package io.balena.engine.graphdriver;

import java.util.Optional;

/// A committed, read-only layer.
///
/// @param size bytes in its regular files and symbolic links, hard links counted once, as Docker counts
public record Layer(ChainId chainId, DiffId diffId, Optional<ChainId> parent, long size) {}
