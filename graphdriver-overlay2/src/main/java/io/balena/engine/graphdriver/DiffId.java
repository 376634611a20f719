package io.balena.engine.graphdriver;

/// The digest of one layer's uncompressed tar.
public record DiffId(Digest digest) {
    public static DiffId parse(String text) {
        return new DiffId(Digest.parse(text));
    }

    @Override
    public String toString() {
        return digest.toString();
    }
}
