package io.balena.engine.network;

/// What the engine may change of the machine for its networks.
///
/// @param ipForward whether to switch on forwarding between the machine's links
/// @param iptables whether firewall rules are made at all; without them no port is published
/// @param ip6tables the same of IPv6
public record FirewallSettings(boolean ipForward, boolean iptables, boolean ip6tables) {
    public static final FirewallSettings DOCKERS = new FirewallSettings(true, true, false);
}
