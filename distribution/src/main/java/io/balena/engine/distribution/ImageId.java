package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;

/// The digest of an image's configuration.
public record ImageId(Digest digest) {
    public static ImageId parse(String text) {
        return new ImageId(Digest.parse(text));
    }

    @Override
    public String toString() {
        return digest.toString();
    }
}
