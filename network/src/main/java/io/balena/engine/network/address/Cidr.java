package io.balena.engine.network.address;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/// An address together with the network it is in, as a link carries it.
public record Cidr(Ip address, int prefixLength) {
    /// @throws IllegalArgumentException in Docker's words, `invalid CIDR address: …`
    @JsonCreator
    public static Cidr parse(String text) {
        int slash = text.indexOf('/');
        String length = text.substring(slash + 1);
        if (slash < 0 || !length.matches("[0-9]{1,3}")) throw new IllegalArgumentException("invalid CIDR address: " + text);
        try {
            var cidr = new Cidr(Ip.parse(text.substring(0, slash)), Integer.parseInt(length));
            if (cidr.prefixLength <= cidr.address.bits()) return cidr;
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("invalid CIDR address: " + text, e);
        }
        throw new IllegalArgumentException("invalid CIDR address: " + text);
    }

    public Subnet subnet() {
        return Subnet.around(address, prefixLength);
    }

    /// @throws IllegalArgumentException when a bridge with this address could serve no container
    public void requireHostAddress() {
        var subnet = subnet();
        boolean edge = !address.v6() && (address.equals(subnet.first()) || address.equals(subnet.last()));
        if (prefixLength == 0 || prefixLength > address.bits() - 2 || edge) {
            throw new IllegalArgumentException("invalid bridge address " + this + ": it must be a host's, in a network of at least /30");
        }
    }

    @JsonValue
    @Override
    public String toString() {
        return address + "/" + prefixLength;
    }
}
