package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InsecureRegistriesTest {
    private static final InsecureRegistries INSECURE =
            InsecureRegistries.of(List.of("plain.example", "http://port.example:81", "10.1.0.0/16", "10.1.2.3/16", "fd00::/8"));

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1,            true",
        "127.8.8.8:5000,       true",
        "localhost:5000,       true",
        "[::1]:5000,           true",
        "plain.example,        true",
        "plain.example:5000,   false",
        "port.example:81,      true",
        "port.example,         false",
        "10.1.255.1:5000,      true",
        "10.2.0.1,             false",
        "[fd12::1]:5000,       true",
        "[2001:db8::1],        false",
        "localhost.invalid,    false",
        "127.0.0.1.invalid,    false",
        "registry.invalid,     false",
    })
    void onlyDeclaredAndLocalRegistriesMayBeInsecure(String host, boolean may) {
        assertEquals(may, INSECURE.contains(host));
    }

    @Test
    void eachNetworkIsListedOnceAsDockerWritesIt() {
        assertEquals(List.of("10.1.0.0/16", "fd00::/8", "127.0.0.0/8", "::1/128"),
                INSECURE.networks().stream().map(Network::toString).toList());
        assertEquals(List.of("plain.example", "port.example:81"), INSECURE.names());
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '^', value = {
        "ftp://a.example | insecure registry ftp://a.example should not contain '://'",
        "-a              | invalid index name (-a). Cannot begin or end with a hyphen",
        "a.example:70000 | insecure registry a.example:70000 is not valid: invalid port \"70000\"",
        "a b             | insecure registry a b is not valid: invalid host \"a b\"",
        "10.0.0.0/99     | insecure registry 10.0.0.0/99 is not valid: invalid host \"10.0.0.0/99\"",
    })
    void nonsenseIsRefusedInDockersWords(String given, String message) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> InsecureRegistries.of(List.of(given))).getMessage());
    }
}
