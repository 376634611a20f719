package io.balena.engine.graphdriver;

import java.util.Optional;

/// A committed, read-only layer.
///
/// @param size sum of the sizes of its regular files in bytes, hard links counted once
public record Layer(ChainId chainId, DiffId diffId, Optional<ChainId> parent, long size) {}
