package io.balena.engine.dns;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Who is called what, on which network. For the resolver's thread.
final class NameTable {
    private final Map<String, ContainerNames> containers = new LinkedHashMap<>();
    /// By network; made when first asked for, dropped when somebody on the network changes.
    private final Map<String, Directory> directories = new HashMap<>();
    private int turn;

    /// One network's.
    private record Directory(Map<String, List<InetAddress>> byName, Map<InetAddress, String> byAddress) {}

    void put(ContainerNames names) {
        remove(names.container());
        containers.put(names.container(), names);
        forgetDirectories(names);
    }

    void remove(String container) {
        ContainerNames gone = containers.remove(container);
        if (gone != null) forgetDirectories(gone);
    }

    private void forgetDirectories(ContainerNames changed) {
        for (ContainerNames.Membership network : changed.networks()) directories.remove(network.networkId());
    }

    /// Containers are found as `<name>` and `<name>.<network>`, where either may have dots in it.
    ///
    /// @param name in small letters
    /// @return addresses of the family, each time another first; no addresses when it has none of that family; empty when nobody known to
    ///     `asker` has the name
    Optional<List<InetAddress>> find(ContainerNames asker, String name, boolean v6) {
        for (ContainerNames.Membership network : asker.networks()) {
            Optional<List<InetAddress>> found = find(network, name);
            if (found.isPresent()) return Optional.of(inTurn(found.get(), v6));
        }
        for (int dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
            for (ContainerNames.Membership network : asker.networks()) {
                if (!network.networkName().toLowerCase(Locale.ROOT).equals(name.substring(dot + 1))) continue;
                Optional<List<InetAddress>> found = find(network, name.substring(0, dot));
                if (found.isPresent()) return Optional.of(inTurn(found.get(), v6));
            }
        }
        return Optional.empty();
    }

    private Optional<List<InetAddress>> find(ContainerNames.Membership network, String name) {
        Directory directory = directory(network.networkId());
        for (Map.Entry<String, String> link : network.links().entrySet()) {
            if (!link.getKey().toLowerCase(Locale.ROOT).equals(name)) continue;
            List<InetAddress> linked = directory.byName.get(link.getValue().toLowerCase(Locale.ROOT));
            if (linked != null) return Optional.of(linked);
        }
        return Optional.ofNullable(directory.byName.get(name));
    }

    private List<InetAddress> inTurn(List<InetAddress> all, boolean v6) {
        List<InetAddress> some = new ArrayList<>(all.size());
        for (InetAddress each : all) if (each instanceof Inet4Address != v6) some.add(each);
        if (some.size() > 1) Collections.rotate(some, ++turn % some.size());
        return some;
    }

    /// @return the name of whoever has the address on one of the asker's networks, `<name>.<network>`
    Optional<String> nameOf(ContainerNames asker, InetAddress address) {
        for (ContainerNames.Membership network : asker.networks()) {
            String name = directory(network.networkId()).byAddress.get(address);
            if (name != null) return Optional.of(name + "." + network.networkName());
        }
        return Optional.empty();
    }

    private Directory directory(String networkId) {
        Directory known = directories.get(networkId);
        if (known != null) return known;
        Directory made = new Directory(new HashMap<>(), new HashMap<>());
        for (ContainerNames each : containers.values()) {
            for (ContainerNames.Membership network : each.networks()) {
                if (network.networkId().equals(networkId)) add(network, made);
            }
        }
        directories.put(networkId, made);
        return made;
    }

    private static void add(ContainerNames.Membership network, Directory to) {
        for (String name : network.names()) {
            to.byName.computeIfAbsent(name.toLowerCase(Locale.ROOT), _ -> new ArrayList<>()).addAll(network.addresses());
        }
        if (network.names().isEmpty()) return;
        for (InetAddress address : network.addresses()) to.byAddress.putIfAbsent(address, network.names().getFirst());
    }
}
