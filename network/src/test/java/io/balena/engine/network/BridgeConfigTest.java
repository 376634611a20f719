package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Subnet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BridgeConfigTest {
    private static BridgeConfig config(String name, String address) {
        var config = BridgeConfig.named(name);
        return address == null ? config : config.at(Cidr.parse(address));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "a/b", "a b", "-x", "sixteen-letters-", "a\nb", "brücke"})
    void aNameThatNoLinkCanHaveIsRefused(String name) {
        assertThrows(IllegalArgumentException.class, () -> config(name, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.0/24", "10.0.0.255/24", "10.0.0.1/31", "10.0.0.1/32", "1.2.3.4/0", "10.0.0.1"})
    void anAddressThatLeavesNoRoomForContainersIsRefused(String address) {
        assertThrows(IllegalArgumentException.class, () -> config("balena0", address));
    }

    @Test
    void theFixedRangeMustBeWithinTheNetwork() {
        var range = Subnet.parse("10.0.1.0/25");
        assertThrows(IllegalArgumentException.class, () -> config("b", "10.0.0.1/24").giving(range));
        assertEquals("fifteen-letters", config("fifteen-letters", "10.0.0.1/24").name());
    }

    @Test
    void aPortThatIsNoneIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("tcp", 80, "", 90, 80));
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("icmp", 80, "", 80));
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("tcp", 0, "", 80));
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("tcp", 80, "", 65536));
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("tcp", 80, "localhost", 80));
        assertThrows(IllegalArgumentException.class, () -> new PortBinding("tcp", 80, "1.2.3.4 -j ACCEPT", 80));
    }
}
