package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// How links of the machine say whose they are, in words that `ip link` shows. An alias lasts exactly as long as its link.
///
/// @param engine tells engines on one machine apart
record LinkAlias(String engine) {
    private static final String PREFIX = "balena-engine";

    /// Engines are told apart by where they keep their state, which no two can share.
    static LinkAlias ofEngineAt(Path stateDirectory) {
        try {
            byte[] path = stateDirectory.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
            return new LinkAlias(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(path), 0, 6));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    String ofNetwork(String networkId) {
        return String.join(" ", PREFIX, engine, "network", networkId);
    }

    String of(Endpoint endpoint) {
        String address = endpoint.ipv4().map(placement -> placement.own().address().toString()).orElse("-");
        return String.join(" ", PREFIX, engine, endpoint.containerId(), endpoint.id(), address, endpoint.mac().toString());
    }

    /// What an alias tells of an endpoint: not its ports, nor its names.
    ///
    /// @param network whose link it is
    /// @param bridge its address there
    Optional<Endpoint> endpoint(String alias, String network, Cidr bridge) {
        String[] words = alias.split(" ");
        if (words.length != 6 || !words[0].equals(PREFIX) || !words[1].equals(engine)) return Optional.empty();
        try {
            var of = new Membership(network, network, false, words[2], "", List.of(), List.of(), 0);
            var own = new Cidr(Ip.parse(words[4]), bridge.prefixLength());
            return Optional.of(new Endpoint(words[3], of, List.of(new Placement(own, bridge.address())), MacAddress.parse(words[5]), "eth0",
                    List.of(), List.of()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
