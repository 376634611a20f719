package io.balena.engine.network;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// The networks that are always there.
public final class PredefinedNetworks {
    public static final String BRIDGE = "bridge";
    public static final String HOST = "host";
    public static final String NONE = "none";
    public static final List<String> NAMES = List.of(BRIDGE, HOST, NONE);

    private PredefinedNetworks() {}

    /// The same in every engine, so that none has to be kept.
    public static String id(String name) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(("network " + name).getBytes(UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    static NetworkRecord withoutAddresses(String name, String driver, String created) {
        return record(name, driver, created, List.of(), Map.of());
    }

    static NetworkRecord record(String name, String driver, String created, List<Ipam.Pool> pools, Map<String, String> options) {
        boolean ipv6 = pools.stream().anyMatch(Ipam.Pool::v6);
        return new NetworkRecord(id(name), name, created, driver, ipv6, false, false, false, "", new Ipam("default", null, List.of(), pools),
                options, Map.of());
    }
}
