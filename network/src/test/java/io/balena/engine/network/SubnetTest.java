package io.balena.engine.network;

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
        assertEquals("172.17.0.0/16", Ipv4Interface.parse("172.17.5.9/16").subnet().toString());
        assertEquals("255.255.255.255", Subnet.parse("0.0.0.0/0").last().toString());
        assertEquals("10.0.0.127", Subnet.parse("10.0.0.0/25").last().toString());
        assertThrows(IllegalArgumentException.class, () -> Subnet.parse("10.0.0.1/25"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0/24", "10.0.0.256/24", "10.0.0.01/24", "a.b.c.d/8",
            "10.0.0.1/24/8", "10.0.0.1.2/24", "::1/64", " 10.0.0.1/24", "10.0.0.1/24 "})
    void whatIsNoAddressWithPrefixIsRefusedInDockersWords(String text) {
        var refused = assertThrows(IllegalArgumentException.class, () -> Ipv4Interface.parse(text));
        assertEquals("invalid CIDR address: " + text, refused.getMessage());
    }

    @Test
    void networksOverlapWhenOneHoldsTheOther() {
        var wide = Subnet.parse("172.16.0.0/12");
        var narrow = Subnet.parse("172.17.0.0/16");
        assertTrue(wide.overlaps(narrow) && narrow.overlaps(wide));
        assertTrue(wide.contains(narrow) && !narrow.contains(wide));
        assertFalse(narrow.overlaps(Subnet.parse("172.18.0.0/16")));
        assertTrue(Subnet.parse("200.0.0.0/8").contains(Ipv4.parse("200.255.0.1")));
    }

    @Test
    void theFirstDefaultNetworkThatDisturbsNothingIsChosen() {
        assertEquals(Optional.of(Subnet.parse("172.17.0.0/16")), DefaultSubnets.choose(List.of(Subnet.parse("10.0.0.0/8"))));
        assertEquals(Optional.of(Subnet.parse("172.19.0.0/16")),
                DefaultSubnets.choose(List.of(Subnet.parse("172.17.3.0/24"), Subnet.parse("172.18.0.1/32"))));
        assertEquals(Optional.of(Subnet.parse("192.168.16.0/20")),
                DefaultSubnets.choose(List.of(Subnet.parse("172.16.0.0/12"), Subnet.parse("192.168.1.0/24"))));
        assertEquals(Optional.empty(), DefaultSubnets.choose(List.of(Subnet.parse("128.0.0.0/1"))));
    }

    @Test
    void theHardwareAddressIsDerivedAsDockerDoes() {
        assertEquals("02:42:ac:11:00:02", Ipv4.parse("172.17.0.2").mac().toString());
        assertEquals("02:42:ff:00:00:01", Ipv4.parse("255.0.0.1").mac().toString());
    }
}
