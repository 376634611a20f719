package io.balena.engine.dns;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Optional;

/// Names that stand for addresses: `2.0.17.172.in-addr.arpa`, `b.a.9.8.….ip6.arpa`.
final class ReverseName {
    private static final String V4 = ".in-addr.arpa";
    private static final String V6 = ".ip6.arpa";

    private ReverseName() {}

    /// @param name in small letters
    static Optional<InetAddress> addressOf(String name) {
        try {
            if (name.endsWith(V4)) return v4(name.substring(0, name.length() - V4.length()).split("\\."));
            if (name.endsWith(V6)) return v6(name.substring(0, name.length() - V6.length()).split("\\."));
            return Optional.empty();
        } catch (NumberFormatException | UnknownHostException e) {
            return Optional.empty();
        }
    }

    private static Optional<InetAddress> v4(String[] parts) throws UnknownHostException {
        if (parts.length != 4) return Optional.empty();
        byte[] address = new byte[4];
        for (int i = 0; i < 4; i++) {
            int part = Integer.parseInt(parts[3 - i]);
            if (part < 0 || part > 255) return Optional.empty();
            address[i] = (byte) part;
        }
        return Optional.of(InetAddress.getByAddress(address));
    }

    private static Optional<InetAddress> v6(String[] digits) throws UnknownHostException {
        if (digits.length != 32) return Optional.empty();
        byte[] address = new byte[16];
        for (int i = 0; i < 32; i++) {
            if (digits[31 - i].length() != 1) return Optional.empty();
            address[i / 2] = (byte) (address[i / 2] << 4 | Integer.parseInt(digits[31 - i], 16));
        }
        return Optional.of(InetAddress.getByAddress(address));
    }
}
