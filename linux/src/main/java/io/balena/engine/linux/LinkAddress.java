package io.balena.engine.linux;

import java.net.InetAddress;

/// An address on a link.
public record LinkAddress(int link, InetAddress address, int prefixLength) {}
