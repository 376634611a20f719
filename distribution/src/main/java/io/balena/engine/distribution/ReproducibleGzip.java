package io.balena.engine.distribution;

import java.io.IOException;
import java.io.OutputStream;
import java.util.zip.GZIPOutputStream;

/// Packs a layer the same way each time, so that whoever pushes it twice sends the registry the same blob: no time, no name, one level.
final class ReproducibleGzip extends GZIPOutputStream {
    /// zlib's own default, fixed in case that should change.
    private static final int LEVEL = 6;

    ReproducibleGzip(OutputStream out) throws IOException {
        super(out, 32 * 1024);
        def.setLevel(LEVEL);
    }
}
