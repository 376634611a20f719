package io.balena.engine.network;

/// One rule of iptables.
///
/// @param specification as `iptables-save` prints it, e.g. `-p tcp -m tcp --dport 80 -j ACCEPT`: only then can a rule that
///     is there already be recognised
record FirewallRule(String table, String chain, String specification) {}
