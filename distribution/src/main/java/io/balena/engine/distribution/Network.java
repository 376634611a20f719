package io.balena.engine.distribution;

import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Optional;

/// A range of addresses, e.g. `10.0.0.0/8`.
///
/// @param prefix an address in it; its bits after the first `bits` are zero
public record Network(InetAddress prefix, int bits) {
    /// @return empty when `text` is no range in CIDR notation
    static Optional<Network> parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) return Optional.empty();
        try {
            InetAddress address = InetAddress.ofLiteral(text.substring(0, slash));
            int width = 8 * address.getAddress().length;
            int bits = Integer.parseInt(text.substring(slash + 1));
            if (bits < 0 || bits > width) return Optional.empty();
            byte[] masked = address.getAddress();
            for (int bit = bits; bit < width; bit++) masked[bit / 8] &= (byte) ~(0x80 >> bit % 8);
            return Optional.of(new Network(InetAddress.getByAddress(masked), bits));
        } catch (IllegalArgumentException | UnknownHostException e) {
            return Optional.empty();
        }
    }

    boolean contains(InetAddress address) {
        byte[] bytes = address.getAddress();
        byte[] ours = prefix.getAddress();
        if (bytes.length != ours.length) return false;
        int shift = 8 * bytes.length - bits;
        return new BigInteger(1, bytes).shiftRight(shift).equals(new BigInteger(1, ours).shiftRight(shift));
    }

    @Override
    public String toString() {
        return prefix.getHostAddress().replaceFirst("(^|:)(0(:|$)){2,}", "::") + "/" + bits;
    }
}
