package io.balena.engine.graphdriver;

/// Lets benchmarks use the checksum, which is private to its module.
public final class Crc64Probe {
    private final Crc64 crc = new Crc64();

    public void update(byte[] bytes, int length) {
        crc.update(bytes, 0, length);
    }

    public long value() {
        return crc.value();
    }
}
