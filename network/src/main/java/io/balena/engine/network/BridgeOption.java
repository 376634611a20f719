package io.balena.engine.network;

import io.balena.engine.network.address.Ip;
import java.util.Map;
import java.util.Optional;

/// The options of Docker's bridge driver, as they are written.
enum BridgeOption {
    NAME("com.docker.network.bridge.name"),
    ICC("com.docker.network.bridge.enable_icc"),
    MASQUERADE("com.docker.network.bridge.enable_ip_masquerade"),
    HOST_BINDING("com.docker.network.bridge.host_binding_ipv4"),
    DEFAULT("com.docker.network.bridge.default_bridge"),
    MTU("com.docker.network.driver.mtu"),
    LINK_PREFIX("com.docker.network.container_iface_prefix");

    private final String key;

    BridgeOption(String key) {
        this.key = key;
    }

    String key() {
        return key;
    }

    Optional<String> of(Map<String, String> options) {
        return Optional.ofNullable(options.get(key));
    }

    /// True unless it says otherwise.
    boolean flag(Map<String, String> options) throws NetworkException {
        Optional<String> given = of(options);
        if (given.isEmpty()) return true;
        return switch (given.get()) {
            case "1", "t", "T", "true", "TRUE", "True" -> true;
            case "0", "f", "F", "false", "FALSE", "False" -> false;
            default -> throw unreadable(given.get(), "strconv.ParseBool: parsing \"" + given.get() + "\": invalid syntax");
        };
    }

    static int mtu(Map<String, String> options) throws NetworkException {
        Optional<String> given = MTU.of(options);
        try {
            return given.isEmpty() ? 0 : Integer.parseInt(given.get());
        } catch (NumberFormatException e) {
            throw MTU.unreadable(given.get(), "strconv.Atoi: parsing \"" + given.get() + "\": invalid syntax");
        }
    }

    static Ip hostBinding(Map<String, String> options) throws NetworkException {
        Optional<String> given = HOST_BINDING.of(options);
        try {
            return given.map(Ip::parse).orElse(Ip.ANY);
        } catch (IllegalArgumentException e) {
            throw HOST_BINDING.unreadable(given.get(), "nil ip");
        }
    }

    private NetworkException unreadable(String value, String why) {
        return NetworkException.invalid("failed to parse " + key + " value: " + value + " (" + why + ")");
    }
}
