package io.balena.engine.network.address;

import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/// Where networks come from for which nobody named one.
///
/// @param pools tried in this order
public record DefaultPools(List<Pool> pools) {
    /// A range that is cut into networks.
    ///
    /// @param size the prefix length of each
    public record Pool(Subnet base, int size) {
        private static final int MOST_TRIED = 1 << 16;

        /// @throws IllegalArgumentException in Docker's words
        public Pool {
            if (size < base.prefixLength() || size > base.first().bits()) {
                throw new IllegalArgumentException("invalid pools list: in pool (" + base + ", " + size + "), the size must be at least "
                        + base.prefixLength());
            }
        }

        private Stream<Subnet> cut() {
            int bits = base.first().bits() - size;
            // Networks of 2^63 addresses and more are far apart from each other in the upper half of an address.
            long count = Math.min(MOST_TRIED, 1L << Math.min(30, size - base.prefixLength()));
            return LongStream.range(0, count).mapToObj(i -> new Subnet(nth(i, bits), size));
        }

        private Ip nth(long i, int bits) {
            Ip first = base.first();
            return bits < 64 ? first.plus(i << bits) : new Ip(true, first.high() + (i << bits - 64), first.low());
        }
    }

    /// Docker's: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 to 192.168.240.0/20.
    public static final DefaultPools DOCKERS = new DefaultPools(List.of(
            pool("172.17.0.0/16", 16), pool("172.18.0.0/16", 16), pool("172.19.0.0/16", 16), pool("172.20.0.0/14", 16),
            pool("172.24.0.0/14", 16), pool("172.28.0.0/14", 16), pool("192.168.0.0/16", 20)));

    private static Pool pool(String base, int size) {
        return new Pool(Subnet.parse(base), size);
    }

    /// `base=10.0.0.0/8,size=24`, as in `--default-address-pool`.
    ///
    /// @throws IllegalArgumentException in Docker's words
    public static Pool parse(String text) {
        String base = null;
        String size = null;
        for (String field : text.split(",")) {
            int equals = field.indexOf('=');
            if (equals < 0) throw new IllegalArgumentException("invalid field '" + field + "' must be a key=value pair");
            String value = field.substring(equals + 1);
            switch (field.substring(0, equals).toLowerCase(java.util.Locale.ROOT)) {
                case "base" -> base = value;
                case "size" -> size = value;
                default -> throw new IllegalArgumentException("unexpected key '" + field.substring(0, equals) + "' in '" + field + "'");
            }
        }
        if (base == null || size == null || !size.matches("[0-9]{1,3}")) {
            throw new IllegalArgumentException("invalid default address pool: " + text);
        }
        return new Pool(Cidr.parse(base).subnet(), Integer.parseInt(size));
    }

    public Optional<Subnet> firstFree(boolean v6, Predicate<Subnet> free) {
        return pools.stream().filter(pool -> pool.base.first().v6() == v6).flatMap(Pool::cut).filter(free).findFirst();
    }
}
