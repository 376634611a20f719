package io.balena.engine.linux;

/// A network link as the kernel shows it.
///
/// @param index its number in its network namespace
/// @param kind `bridge`, `veth`, …; empty for hardware and loopback
/// @param master index of the bridge or bond it is a port of; 0 for none
/// @param up whether it was switched on (`IFF_UP`), not whether it has a carrier
/// @param running whether it carries traffic: switched on, cable plugged in, and the kernel has taken note of both
/// @param alias free text of at most 255 bytes that stays with the link; empty for none
public record Link(int index, String name, String kind, int master, boolean up, boolean running, MacAddress mac, int mtu, String alias) {}
