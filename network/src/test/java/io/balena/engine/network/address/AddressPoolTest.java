package io.balena.engine.network.address;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class AddressPoolTest {
    private static Optional<Ip> address(String text) {
        return Optional.of(Ip.parse(text));
    }

    @Test
    void theLowestFreeAddressIsGiven() {
        var subnet = Subnet.parse("172.17.0.0/16");
        var pool = new AddressPool(subnet, subnet);
        pool.reserve(Ip.parse("172.17.0.1"));
        assertEquals(address("172.17.0.2"), pool.allocate());
        assertEquals(address("172.17.0.3"), pool.allocate());
        pool.release(Ip.parse("172.17.0.2"));
        assertEquals(address("172.17.0.2"), pool.allocate());
        assertEquals(address("172.17.0.4"), pool.allocate());
    }

    @Test
    void aNetworksFirstAndLastAddressAreNobodys() {
        var subnet = Subnet.parse("10.0.0.0/30");
        var pool = new AddressPool(subnet, subnet);
        assertTrue(pool.reserve(Ip.parse("10.0.0.1")));
        assertFalse(pool.reserve(Ip.parse("10.0.0.1")));
        assertEquals(address("10.0.0.2"), pool.allocate());
        assertEquals(Optional.empty(), pool.allocate());
    }

    @Test
    void aRangeInsideIsUsedToItsEnds() {
        var pool = new AddressPool(Subnet.parse("10.0.0.0/24"), Subnet.parse("10.0.0.64/31"));
        assertEquals(address("10.0.0.64"), pool.allocate());
        assertEquals(address("10.0.0.65"), pool.allocate());
        assertEquals(Optional.empty(), pool.allocate());
    }

    @Test
    void aHugeNetworkCostsNoMemory() {
        var subnet = Subnet.parse("128.0.0.0/1");
        var pool = new AddressPool(subnet, subnet);
        assertTrue(pool.reserve(Ip.parse("255.255.255.254")));
        assertEquals(address("128.0.0.1"), pool.allocate());
    }
}
