package io.balena.engine.network;

import io.balena.engine.linux.LinkSlice;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/// Whose wire containers share, and how.
///
/// @param parent a link of the machine
/// @param mtu 0 for that of the parent
/// @param leadsNowhere nobody named a parent: containers have a wire of their own
record ParentConfig(String parent, LinkSlice.Mode mode, int mtu, boolean leadsNowhere) {
    /// @throws NetworkException in Docker's words for an unknown mode
    static ParentConfig of(NetworkRecord network) throws NetworkException {
        Map<String, String> options = network.options();
        String parent = options.getOrDefault("parent", "");
        boolean macvlan = network.driver().equals("macvlan");
        return new ParentConfig(parent.isEmpty() ? (macvlan ? "dm-" : "di-") + network.shortId() : parent,
                macvlan ? mode(options, "macvlan", LinkSlice.Macvlan.values(), LinkSlice.Macvlan.BRIDGE)
                        : mode(options, "ipvlan", LinkSlice.Ipvlan.values(), LinkSlice.Ipvlan.L2),
                BridgeOption.mtu(options), parent.isEmpty());
    }

    private static <M extends Enum<M> & LinkSlice.Mode> M mode(Map<String, String> options, String driver, M[] modes, M usual)
            throws NetworkException {
        String wanted = options.getOrDefault(driver + "_mode", "");
        if (wanted.isEmpty()) return usual;
        return Stream.of(modes).filter(mode -> name(mode).equals(wanted)).findFirst()
                .orElseThrow(() -> NetworkException.failed("requested " + driver + " mode '" + wanted + "' is not valid, '" + name(usual)
                        + "' mode is the " + driver + " driver default"));
    }

    private static String name(Enum<?> mode) {
        return mode.name().toLowerCase(Locale.ROOT);
    }

    /// Whether containers send to no gateway, but into the wire.
    boolean routesItself() {
        return Arrays.asList(LinkSlice.Ipvlan.L3, LinkSlice.Ipvlan.L3S).contains(mode);
    }
}
