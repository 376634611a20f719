package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RegistryConfigTest {
    private final RegistryConfig config = new RegistryConfig(
            "balenaEngine/test", Set.of("plain.example", "port.example:81", "10.1.0.0/16", "fd00::/8", "nonsense/99"),
            new RegistryConfig.Transfers(3, 5), new RegistryConfig.Transfers(5, 5), Duration.ofSeconds(60));

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1,            true",
        "127.8.8.8:5000,       true",
        "localhost:5000,       true",
        "[::1]:5000,           true",
        "plain.example,        true",
        "plain.example:5000,   true",
        "port.example:81,      true",
        "port.example,         false",
        "10.1.255.1:5000,      true",
        "10.2.0.1,             false",
        "[fd12::1]:5000,       true",
        "[2001:db8::1],        false",
        "localhost.example,    false",
        "127.0.0.1.example,    false",
        "registry.example,     false",
    })
    void onlyDeclaredAndLocalRegistriesMayBeInsecure(String host, boolean insecure) {
        assertEquals(insecure, config.mayBeInsecure(host));
    }
}
