package io.balena.engine.network.address;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SubnetTest {
    @Test
    void networksAreWrittenByTheirFirstAddress() {
        assertEquals("172.17.0.0/16", Cidr.parse("172.17.5.9/16").subnet().toString());
        assertEquals("255.255.255.255", Subnet.parse("0.0.0.0/0").last().toString());
        assertEquals("10.0.0.127", Subnet.parse("10.0.0.0/25").last().toString());
        assertThrows(IllegalArgumentException.class, () -> Subnet.parse("10.0.0.1/25"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0/24", "10.0.0.256/24", "10.0.0.01/24", "a.b.c.d/8",
            "10.0.0.1/24/8", "10.0.0.1.2/24", "::1/129", ":::/64", "1::2::3/64", "12345::/16", " 10.0.0.1/24", "10.0.0.1/24 "})
    void whatIsNoAddressWithPrefixIsRefusedInDockersWords(String text) {
        var refused = assertThrows(IllegalArgumentException.class, () -> Cidr.parse(text));
        assertEquals("invalid CIDR address: " + text, refused.getMessage());
    }

    @Test
    void networksOverlapWhenOneHoldsTheOther() {
        var wide = Subnet.parse("172.16.0.0/12");
        var narrow = Subnet.parse("172.17.0.0/16");
        assertTrue(wide.overlaps(narrow) && narrow.overlaps(wide));
        assertTrue(wide.contains(narrow) && !narrow.contains(wide));
        assertFalse(narrow.overlaps(Subnet.parse("172.18.0.0/16")));
        assertTrue(Subnet.parse("200.0.0.0/8").contains(Ip.parse("200.255.0.1")));
    }

    @Test
    void theFirstDefaultNetworkThatDisturbsNothingIsChosen() {
        assertEquals(Optional.of(Subnet.parse("172.17.0.0/16")), choose(List.of(Subnet.parse("10.0.0.0/8"))));
        assertEquals(Optional.of(Subnet.parse("172.19.0.0/16")),
                choose(List.of(Subnet.parse("172.17.3.0/24"), Subnet.parse("172.18.0.1/32"))));
        assertEquals(Optional.of(Subnet.parse("192.168.16.0/20")),
                choose(List.of(Subnet.parse("172.16.0.0/12"), Subnet.parse("192.168.1.0/24"))));
        assertEquals(Optional.empty(), choose(List.of(Subnet.parse("128.0.0.0/1"))));
    }

    @Test
    void theHardwareAddressIsDerivedAsDockerDoes() {
        assertEquals("02:42:ac:11:00:02", Ip.parse("172.17.0.2").mac().toString());
        assertEquals("02:42:ff:00:00:01", Ip.parse("255.0.0.1").mac().toString());
    }

    private static Optional<Subnet> choose(List<Subnet> taken) {
        return DefaultPools.DOCKERS.firstFree(false, candidate -> taken.stream().noneMatch(candidate::overlaps));
    }

    @Test
    void poolsOfOnesOwnAreCutAsAsked() {
        var pools = new DefaultPools(List.of(DefaultPools.parse("base=10.10.0.0/16,size=24"), DefaultPools.parse("base=fd00::/48,size=64")));
        assertEquals(Optional.of(Subnet.parse("10.10.2.0/24")),
                pools.firstFree(false, subnet -> !Subnet.parse("10.10.0.0/23").overlaps(subnet)));
        assertEquals(Optional.of(Subnet.parse("fd00:0:0:1::/64")), pools.firstFree(true, subnet -> !subnet.equals(Subnet.parse("fd00::/64"))));
        var small = new DefaultPools(List.of(DefaultPools.parse("base=10.0.0.0/30,size=30")));
        assertEquals(Optional.empty(), small.firstFree(false, subnet -> !subnet.equals(Subnet.parse("10.0.0.0/30"))));
        assertThrows(IllegalArgumentException.class, () -> DefaultPools.parse("base=10.0.0.0/24,size=16"));
        assertThrows(IllegalArgumentException.class, () -> DefaultPools.parse("base=10.0.0.0/24"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"::", "::1", "fd00::", "2001:db8::1:0:0:1", "1:0:2:3:4:5:6:7", "fe80::1", "1::8", "0:0:1::"})
    void ipv6IsWrittenAsItsSpecificationHasIt(String text) {
        assertEquals(text, Ip.parse(text).toString());
        assertEquals(Ip.parse(text), Ip.of(Ip.parse(text).inet()));
    }

    @Test
    void ipv6NetworksKnowTheirEnds() {
        var subnet = Subnet.parse("2001:db8::/33");
        assertEquals("2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", subnet.last().toString());
        assertTrue(subnet.contains(Ip.parse("2001:db8:7000::1")));
        assertFalse(subnet.contains(Ip.parse("2001:db8:8000::1")));
        assertFalse(Subnet.parse("::/0").contains(Ip.parse("1.2.3.4")), "the families are apart");
        assertEquals("fd00::1:0:0", Ip.parse("fd00::ffff:ffff").plus(1).toString());
        assertEquals("2001:db8:0:1::", Ip.parse("2001:db8::ffff:ffff:ffff:ffff").plus(1).toString());
        assertEquals("::ffff:ffff:ffff:ffff", Ip.parse("0:0:0:1::").plus(-1).toString());
    }
}
