package io.balena.engine.runtime.client;

import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;

/// What the shim tells its daemon unasked.
public sealed interface ShimEvent {
    record Exited(ProcessKey process, ExitStatus status) implements ShimEvent {}

    record OutOfMemory(String containerId) implements ShimEvent {}
}
