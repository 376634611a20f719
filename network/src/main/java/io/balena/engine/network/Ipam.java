package io.balena.engine.network;

import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// The addresses of a network: as they were asked for, and as they are.
///
/// @param options `null` when none were given, which Docker shows so
/// @param asked the request's, letter by letter: clients compare them
/// @param pools what was made of it, at most one of each family
public record Ipam(String driver, Map<String, String> options, List<Config> asked, List<Pool> pools) {
    /// @param subnet and the others are empty when they were left open
    /// @param reserved addresses that no container gets, by the name of who has them
    public record Config(String subnet, String range, String gateway, Map<String, String> reserved) {
        boolean v6() {
            return subnet.indexOf(':') >= 0;
        }
    }

    /// @param gateway `null` when there is none
    public record Pool(Subnet subnet, Subnet range, Ip gateway, List<Ip> reserved) {
        boolean v6() {
            return subnet.first().v6();
        }

        private Config shown() {
            return new Config(subnet.toString(), range.equals(subnet) ? "" : range.toString(), gateway == null ? "" : gateway.toString(), Map.of());
        }
    }

    /// As Docker shows it: what was asked for where something was, else what was found.
    public List<Config> shown() {
        return Stream.concat(shown(false), shown(true)).toList();
    }

    private Stream<Config> shown(boolean v6) {
        List<Config> given = asked.stream().filter(config -> config.v6() == v6 && !config.subnet().isEmpty()).toList();
        return given.isEmpty() ? pools.stream().filter(pool -> pool.v6() == v6).map(Pool::shown) : given.stream();
    }
}
