package io.balena.engine.dns;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/// Numbers that nobody can foresee, straight from the kernel: the JDK's own source of such would take memory for its providers.
final class KernelRandom {
    private final byte[] numbers = new byte[128];
    private int used = numbers.length;

    /// @return 0 to 65535
    int next() {
        if (used == numbers.length) refill();
        int number = DnsQuery.number(numbers, used);
        used += 2;
        return number;
    }

    private void refill() {
        try (var in = new FileInputStream("/dev/urandom")) {
            if (in.readNBytes(numbers, 0, numbers.length) != numbers.length) throw new IOException("/dev/urandom ends");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        used = 0;
    }
}
