package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;

/// A registry on loopback that tests can put things into.
interface TestRegistry extends AutoCloseable {
    /// `127.0.0.1:<port>`
    String host();

    Digest putBlob(String repository, byte[] content) throws IOException;

    /// @param tagOrDigest `latest`, `sha256:…`
    Digest putManifest(String repository, String tagOrDigest, byte[] content, String mediaType) throws IOException;

    @Override
    void close();
}
