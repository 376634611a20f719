package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A registry that can be reached through a proxy only: nobody here knows its name.
@Timeout(60)
class ProxiedRegistryTest {
    private static final byte[] MANIFEST = "{\"schemaVersion\":2}".getBytes(UTF_8);
    private static final Optional<String> SHOWN = Optional.of("Basic " + Base64.getEncoder().encodeToString("us:er:secret".getBytes(UTF_8)));

    @TempDir
    Path folder;

    private ScriptedRegistry registry;
    private ScriptedProxy proxy;

    @AfterEach
    void stop() {
        if (proxy != null) proxy.close();
        if (registry != null) registry.close();
    }

    private void overHttp(Optional<String> authorization) throws IOException {
        registry = new ScriptedRegistry();
        registry.putManifest("app", "1", MANIFEST, Manifest.OCI_MANIFEST);
        proxy = new ScriptedProxy(registry.host(), authorization);
    }

    private void overTls(Optional<String> authorization) throws Exception {
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(TlsRegistryTest.selfSigned(folder)));
        registry = new ScriptedRegistry(server);
        registry.putManifest("app", "1", MANIFEST, Manifest.OCI_MANIFEST);
        proxy = new ScriptedProxy(registry.host(), authorization);
    }

    @Test
    void plainHttpIsRelayed() throws IOException {
        overHttp(SHOWN);
        assertArrayEquals(MANIFEST, manifest(Proxies.of("http://us:er:secret@" + proxy.address(), "", "")));
        assertTrue(proxy.requests().getLast().startsWith("GET http://registry.invalid:5000/v2/app/manifests/1 "), proxy.requests()::toString);
        assertTrue(registry.requests().stream().allMatch(request -> request.authorization().isEmpty()));
    }

    @Test
    void tlsIsTunnelled() throws Exception {
        overTls(Optional.empty());
        assertArrayEquals(MANIFEST, manifest(Proxies.of("", proxy.address(), "")));
        assertEquals(List.of("CONNECT registry.invalid:5000 HTTP/1.1"), proxy.requests());
    }

    /// What the JDK does not do unless told to.
    @Test
    void aTunnelIsOpenedWithAPassword() throws Exception {
        overTls(SHOWN);
        assertArrayEquals(MANIFEST, manifest(Proxies.of("", "http://us:er:secret@" + proxy.address(), "")));
    }

    @Test
    void aRefusalByTheProxyIsToldAsSuchAndWithoutThePassword() throws Exception {
        overTls(SHOWN);
        String wrong = "http://user:wrong@" + proxy.address();
        IOException tunnel = assertThrows(IOException.class, () -> manifest(InsecureRegistries.onLoopback(), Proxies.of("", wrong, "")));
        assertEquals("Get \"https://registry.invalid:5000/v2/\": proxyconnect tcp: Proxy Authentication Required", tunnel.getMessage());
        assertFalse(RetryPolicy.worthRetrying(tunnel));
        IOException relay = assertThrows(IOException.class, () -> manifest(Proxies.of(wrong, wrong, "")));
        assertEquals("proxyconnect tcp: Proxy Authentication Required", relay.getMessage());
        assertFalse(RetryPolicy.worthRetrying(relay));
    }

    @Test
    void aProxyThatIsNotThereIsToldAsSuch() throws IOException {
        overHttp(Optional.empty());
        proxy.close();
        IOException failure = assertThrows(IOException.class, () -> manifest(Proxies.of("http://user:secret@" + proxy.address(), "", "")));
        assertEquals("Get \"http://registry.invalid:5000/v2/\": proxyconnect tcp: dial tcp " + proxy.address() + ": connect: connection refused",
                failure.getMessage());
    }

    @Test
    void aKindOfProxyThatWeDoNotSpeakToIsToldAsSuch() {
        IOException failure = assertThrows(IOException.class, () -> manifest(Proxies.of("socks5://user:secret@127.0.0.1:1", "", "")));
        assertTrue(failure.getMessage().endsWith("proxies of scheme \"socks5\" are not supported"), failure.getMessage());
    }

    @Test
    void whatIsExceptedIsReachedDirectly() throws IOException {
        overHttp(Optional.empty());
        assertThrows(UnreachableRegistry.class, () -> manifest(Proxies.of(proxy.address(), "", "invalid")));
        assertEquals(List.of(), proxy.requests());
    }

    private static byte[] manifest(Proxies proxies) throws IOException {
        return manifest(InsecureRegistries.of(List.of("registry.invalid:5000")), proxies);
    }

    private static byte[] manifest(InsecureRegistries insecure, Proxies proxies) throws IOException {
        var endpoints = new RegistryEndpoints(insecure, List.of(), List.of(), proxies, RegistryEndpoints.Hub.PUBLIC);
        var config = new RegistryConfig("balenaEngine/test", endpoints, new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), Duration.ofSeconds(5));
        ImageReference reference = ImageReference.parse("registry.invalid:5000/app:1");
        try (Repository repository = Repository.open(reference, Access.PULL, new Credentials.Anonymous(), config, new HttpConnections())) {
            return repository.manifest("1", new Cancellation()).content();
        }
    }
}
