package io.balena.engine.network;

import java.util.List;
import java.util.Set;

/// What is asked of a new network before it is made, in Docker's words.
///
/// @param others that there are
record Admission(List<NetworkRecord> others) {
    static final Set<String> DRIVERS = Set.of("bridge", "macvlan", "ipvlan");

    /// That nobody has its name, and somebody its driver.
    void requireNew(NetworkRequest request) throws NetworkException {
        if (request.name().isBlank()) throw NetworkException.failed("invalid name: " + request.name());
        if (PredefinedNetworks.NAMES.contains(request.name())) {
            throw NetworkException.forbidden("operation is not permitted on predefined " + request.name() + " network ");
        }
        if (others.stream().anyMatch(other -> other.name().equals(request.name()))) {
            throw NetworkException.conflict("network with name " + request.name() + " already exists");
        }
        if (request.driver().equals("host") || request.driver().equals("null")) {
            throw NetworkException.forbidden("only one instance of \"" + request.driver() + "\" network is allowed");
        }
        if (!DRIVERS.contains(request.driver())) throw NetworkException.notFound("plugin \"" + request.driver() + "\" not found");
        if (!request.ipamDriver().equals("default")) throw NetworkException.notFound("plugin \"" + request.ipamDriver() + "\" not found");
    }

    /// What it is to be, if it takes that from another.
    NetworkRequest withSettingsOf(NetworkRequest request) throws NetworkException {
        if (request.configFrom().isEmpty()) return request;
        NetworkRecord from = others.stream()
                .filter(record -> record.name().equals(request.configFrom()) && record.configOnly()).findFirst()
                .orElseThrow(() -> NetworkException.notFound("configuration network \"" + request.configFrom() + "\" does not exist"));
        return new NetworkRequest(request.name(), request.driver(), from.ipv6(), request.internal(), request.attachable(), false,
                request.configFrom(), from.ipam().driver(), from.ipam().options(), from.ipam().asked(), from.options(), from.labels());
    }

    /// That no other network uses its link of the machine.
    void requireLinkOfItsOwn(NetworkRecord record) throws NetworkException {
        if (record.driver().equals("bridge")) requireBridgeOfItsOwn(record);
        else requireParentOfItsOwn(record);
    }

    private void requireParentOfItsOwn(NetworkRecord record) throws NetworkException {
        String parent = ParentConfig.of(record).parent();
        for (NetworkRecord other : others) {
            if (!other.driver().equals(record.driver()) || !ParentConfig.of(other).parent().equals(parent)) continue;
            throw NetworkException.failed("network " + (record.driver().equals("macvlan") ? "dm-" : "di-") + other.shortId()
                    + " is already using parent interface " + parent);
        }
    }

    private void requireBridgeOfItsOwn(NetworkRecord record) throws NetworkException {
        String bridge = BridgeConfig.of(record).name();
        for (NetworkRecord other : others) {
            if (!other.driver().equals("bridge") || !BridgeConfig.of(other).name().equals(bridge)) continue;
            throw NetworkException.forbidden("cannot create network " + record.id() + " (" + bridge + "): conflicts with network "
                    + other.id() + " (" + bridge + "): networks have same bridge name");
        }
    }
}
