package io.balena.engine.daemon.event;

import java.time.Instant;
import java.util.Map;

/// Something that happened to one object.
///
/// @param type kind of the object: `container`, `image`, `network`, `volume`, `daemon`
/// @param action e.g. `start`, or `exec_create: sh` with its detail after the colon
/// @param actorId id of the object; for images their name or id as the client gave it
/// @param attributes what is worth knowing about the object: `image`, `name`, `exitCode`, its labels
public record Event(String type, String action, String actorId, Map<String, String> attributes, Instant at) {}
