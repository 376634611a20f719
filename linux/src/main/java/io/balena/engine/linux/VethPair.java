package io.balena.engine.linux;

/// A pair of links joined by a virtual cable: one end here, as a port of a bridge, the other in another network namespace.
///
/// @param name of the end that stays
/// @param bridge index of the bridge that the near end becomes a port of
/// @param peerName of the far end, in its namespace
public record VethPair(String name, int bridge, String peerName, MacAddress peerMac, int mtu) {}
