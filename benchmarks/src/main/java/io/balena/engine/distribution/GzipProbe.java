package io.balena.engine.distribution;

import io.balena.engine.linux.IsalInflater;
import java.io.IOException;
import java.io.InputStream;

/// Lets benchmarks choose how gzip is inflated, which is private to its module.
public enum GzipProbe {
    ZLIB, ISAL;

    public InputStream open(InputStream packed) throws IOException {
        if (this == ISAL && !IsalInflater.isAvailable()) throw new IOException("libisal.so.2 is not installed");
        return new GzipInputStream(packed, this == ZLIB ? new RawInflater.Zlib() : new RawInflater.Isal());
    }
}
