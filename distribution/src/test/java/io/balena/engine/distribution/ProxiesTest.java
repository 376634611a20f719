package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProxiesTest {
    private static final String EXCEPT =
            "example.com, .sub.test,*.star.test , port.test:8080,192.0.2.7,192.0.2.8:81,10.0.0.0/8,fd00::/8,[2001:db8::1]:443,,UPPER.test";

    @ParameterizedTest(name = "{0} through {1}")
    @CsvSource({
        "https://registry.test/,         https.test:3128",
        "http://registry.test/,          http.test:80",
        "http://localhost:5000/,         direct",
        "http://LOCALHOST/,              direct",
        "https://127.0.0.1:5000/,        direct",
        "https://127.9.9.9/,             direct",
        "https://[::1]:5000/,            direct",
        "https://localhost.test/,        https.test:3128",
        "https://example.com/,           direct",
        "https://a.b.example.com/,       direct",
        "https://notexample.com/,        https.test:3128",
        "https://sub.test/,              https.test:3128",
        "https://a.sub.test/,            direct",
        "https://star.test/,             https.test:3128",
        "https://a.star.test/,           direct",
        "http://port.test:8080/,         direct",
        "http://port.test/,              http.test:80",
        "http://192.0.2.7:5000/,         direct",
        "http://192.0.2.8:81/,           direct",
        "http://192.0.2.8/,              http.test:80",
        "http://10.1.2.3/,               direct",
        "http://11.1.2.3/,               http.test:80",
        "https://[fd12::1]/,             direct",
        "https://[2001:db8::1]/,         direct",
        "https://[2001:db8::1]:444/,     https.test:3128",
        "https://upper.test/,            direct",
    })
    void eachRequestGoesWhereGosClientWouldSendIt(URI target, String way) {
        Proxies proxies = Proxies.of("http.test", "http://https.test:3128", EXCEPT);
        assertEquals(way, proxies.forRequest(target).map(ProxyServer::toString).orElse("direct"));
    }

    @Test
    void aStarMeansNoProxyAtAll() {
        Proxies proxies = Proxies.of("http.test", "https.test", "a.test,*");
        assertEquals(Optional.empty(), proxies.forRequest(URI.create("https://registry.test/")));
    }

    @Test
    void theEnvironmentFillsWhatIsNotConfigured() {
        Proxies proxies = Proxies.of(Proxies.of("", "https.test", ""),
                Map.of("HTTP_PROXY", "", "http_proxy", "lower.test:1", "HTTPS_PROXY", "upper.test", "NO_PROXY", "a", "no_proxy", "b"));
        assertEquals(Proxies.of("lower.test:1", "https.test", "a"), proxies);
    }

    @Test
    void aPasswordIsShownToTheProxyAndToNobodyElse() {
        Proxies proxies = Proxies.of("http://us%40er:p%3Aw+d@http.test:8080", "user:secret@https.test", "");
        ProxyServer server = proxies.forRequest(URI.create("http://registry.test/")).orElseThrow();
        assertEquals("http.test:8080", server.toString());
        // us@er:p:w+d
        assertEquals(Optional.of("Basic dXNAZXI6cDp3K2Q="), server.authorization());
        assertEquals("http://xxxxx:xxxxx@http.test:8080", proxies.shownHttp());
        assertEquals("xxxxx:xxxxx@https.test", proxies.shownHttps());
        assertFalse(proxies.toString().contains("secret"));
    }

    @Test
    void whatIsNoProxyIsToldWhenItWouldBeUsed() {
        for (String wrong : new String[] {"socks5://user:secret@proxy.test", "https://user:secret@proxy.test", "http://", "http://user:secret@[:"}) {
            Proxies proxies = Proxies.of(wrong, "", "");
            assertEquals(Optional.empty(), proxies.forRequest(URI.create("http://localhost/")));
            String message = assertThrows(
                    IllegalArgumentException.class, () -> proxies.forRequest(URI.create("http://registry.test/")), wrong).getMessage();
            assertFalse(message.contains("secret"), message);
            assertFalse(proxies.shownHttp().contains("secret"), proxies.shownHttp());
        }
    }
}
