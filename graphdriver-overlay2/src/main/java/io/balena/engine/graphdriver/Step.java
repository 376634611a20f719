package io.balena.engine.graphdriver;

/// What the stage that parses tells the stage that writes.
sealed interface Step permits TarEntry, Step.Content {
    /// A piece of the last entry's content.
    ///
    /// @param from first byte in the block that carries this step
    /// @param to after the last byte
    /// @param offset where it belongs in the file
    record Content(int from, int to, long offset) implements Step {}
}
