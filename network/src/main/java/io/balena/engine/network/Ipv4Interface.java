package io.balena.engine.network;

/// An address together with the network it is in, as a link carries it.
record Ipv4Interface(Ipv4 address, int prefixLength) {
    /// @throws IllegalArgumentException in Docker's words, `invalid CIDR address: …`
    static Ipv4Interface parse(String text) {
        int slash = text.indexOf('/');
        String length = text.substring(slash + 1);
        if (slash < 0 || !length.matches("[0-9]{1,2}") || Integer.parseInt(length) > 32) {
            throw new IllegalArgumentException("invalid CIDR address: " + text);
        }
        try {
            return new Ipv4Interface(Ipv4.parse(text.substring(0, slash)), Integer.parseInt(length));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("invalid CIDR address: " + text, e);
        }
    }

    Subnet subnet() {
        return Subnet.around(address, prefixLength);
    }

    /// @throws IllegalArgumentException when a bridge with this address could serve no container
    void requireHostAddress() {
        var subnet = subnet();
        if (prefixLength == 0 || prefixLength > 30 || address.equals(subnet.first()) || address.equals(subnet.last())) {
            throw new IllegalArgumentException("invalid bridge address " + this + ": it must be a host's, in a network of at least /30");
        }
    }

    @Override
    public String toString() {
        return address + "/" + prefixLength;
    }
}
