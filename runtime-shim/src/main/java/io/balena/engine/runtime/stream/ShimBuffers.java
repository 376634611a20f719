package io.balena.engine.runtime.stream;

import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.PipePeek;
import io.balena.engine.runtime.log.JsonText;

/// The memory everything passes through: one set for all containers, lent for the time of one event.
///
/// @param piece output on its way from a pipe to clients, with room for a frame's head before it
/// @param heap the same output on its way to a log
/// @param text lines of a log being built
/// @param outbound what goes to a log or was kept for a client
/// @param inbound what came from a client
/// @param peek by which output is logged before it is taken
public record ShimBuffers(
        NativeBuffer piece, byte[] heap, JsonText text, NativeBuffer outbound, NativeBuffer inbound, PipePeek peek) {
    public static ShimBuffers allocate() {
        return new ShimBuffers(
                new NativeBuffer(ProcessStreams.PIECE_BYTES + 8),
                new byte[ProcessStreams.PIECE_BYTES],
                new JsonText(192 << 10),
                new NativeBuffer(64 << 10),
                new NativeBuffer(64 << 10),
                new PipePeek());
    }
}
