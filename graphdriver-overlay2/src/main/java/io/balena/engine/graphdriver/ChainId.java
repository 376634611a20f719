package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.List;
import java.util.Optional;

/// The identity of a layer together with all layers below it.
///
/// @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid">OCI image-spec, ChainID</a>
public record ChainId(Digest digest) {
    public static ChainId parse(String text) {
        return new ChainId(Digest.parse(text));
    }

    /// The chain of `layers`, lowest first; empty for an image without layers.
    public static Optional<ChainId> of(List<DiffId> layers) {
        Optional<ChainId> chain = Optional.empty();
        for (DiffId layer : layers) chain = Optional.of(of(chain, layer));
        return chain;
    }

    /// The chain of `layer` on top of `parent`.
    public static ChainId of(Optional<ChainId> parent, DiffId layer) {
        return parent.map(p -> new ChainId(Digest.of((p + " " + layer).getBytes(US_ASCII))))
                .orElseGet(() -> new ChainId(layer.digest()));
    }

    @Override
    public String toString() {
        return digest.toString();
    }
}
