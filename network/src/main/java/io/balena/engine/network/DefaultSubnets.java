package io.balena.engine.network;

import java.util.Collection;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// The networks that Docker tries in turn when none is configured: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 to
/// 192.168.240.0/20.
final class DefaultSubnets {
    private DefaultSubnets() {}

    /// @param taken networks that this machine has addresses in or routes to
    static Optional<Subnet> choose(Collection<Subnet> taken) {
        return candidates().filter(candidate -> taken.stream().noneMatch(candidate::overlaps)).findFirst();
    }

    private static Stream<Subnet> candidates() {
        return Stream.concat(
                IntStream.rangeClosed(17, 31).mapToObj(i -> Subnet.parse("172." + i + ".0.0/16")),
                IntStream.range(0, 16).mapToObj(i -> Subnet.parse("192.168." + 16 * i + ".0/20")));
    }
}
