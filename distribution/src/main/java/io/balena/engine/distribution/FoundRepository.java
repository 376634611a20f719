package io.balena.engine.distribution;

/// A repository that a search has found.
///
/// @param name to pull it by
public record FoundRepository(String name, String description, boolean official, boolean automated, int stars) {}
