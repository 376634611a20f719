package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A registry whose certificate an authority of the operator's own has signed, and that wants one of its clients.
@Timeout(60)
class CertificateFolderTest {
    private static final byte[] MANIFEST = "{\"schemaVersion\":2}".getBytes(UTF_8);

    @TempDir
    Path folder;

    private ScriptedRegistry registry;
    private boolean clientsMustShowWhoTheyAre;

    @BeforeEach
    void start() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")), "openssl is not installed");
        openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt");
        sign("registry", "subjectAltName=IP:127.0.0.1", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
        Path identity = Files.createDirectory(folder.resolve("identity"));
        for (String name : List.of("ca.crt", "registry.cert", "registry.key")) Files.copy(folder.resolve(name), identity.resolve(name));
        SSLContext context = new Trust(false, List.of(identity)).context();
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters tls = context.getDefaultSSLParameters();
                tls.setNeedClientAuth(clientsMustShowWhoTheyAre);
                parameters.setSSLParameters(tls);
            }
        });
        registry = new ScriptedRegistry(server);
        registry.putManifest("app", "1", MANIFEST, Manifest.OCI_MANIFEST);
        Files.createDirectories(certificates());
    }

    @AfterEach
    void stop() {
        if (registry != null) registry.close();
    }

    @Test
    void withoutTheFolderNobodyVouchesForIt() throws IOException {
        UnreachableRegistry refusal = assertThrows(UnreachableRegistry.class, this::manifest);
        assertTrue(refusal.getMessage().contains("certification path") || refusal.getMessage().contains("certificate"), refusal.getMessage());
    }

    @Test
    void anAuthorityInTheFolderVouchesForIt() throws IOException {
        Files.copy(folder.resolve("ca.crt"), certificates().resolve("any-name.crt"));
        assertArrayEquals(MANIFEST, manifest());
    }

    @Test
    void theFolderOfAnotherRegistryDoesNotCount() throws IOException {
        Path other = Files.createDirectories(folder.resolve("certs.d/127.0.0.1"));
        Files.copy(folder.resolve("ca.crt"), other.resolve("ca.crt"));
        assertThrows(UnreachableRegistry.class, this::manifest);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        "genrsa -traditional 2048",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        "ecparam -name prime256v1 -genkey",
        "ecparam -name secp521r1 -genkey -noout",
        "genpkey -algorithm ED25519",
    })
    void aRegistryThatAsksIsShownWhoWeAre(String makingTheKey) throws Exception {
        clientsMustShowWhoTheyAre = true;
        Files.copy(folder.resolve("ca.crt"), certificates().resolve("ca.crt"));
        assertThrows(IOException.class, this::manifest);
        sign("client", "extendedKeyUsage=clientAuth", makingTheKey);
        Files.copy(folder.resolve("client.cert"), certificates().resolve("client.cert"));
        Files.copy(folder.resolve("client.key"), certificates().resolve("client.key"));
        assertArrayEquals(MANIFEST, manifest());
    }

    @Test
    void aCertificateWithoutItsKeyIsToldInDockersWords() throws IOException {
        Files.copy(folder.resolve("ca.crt"), certificates().resolve("client.cert"));
        assertEquals("missing key client.key for client certificate client.cert. Note that CA certificates should use the extension .crt",
                assertThrows(DistributionException.Unavailable.class, this::manifest).getMessage());
    }

    @Test
    void aKeyWithoutItsCertificateIsToldInDockersWords() throws IOException {
        Files.copy(folder.resolve("ca.key"), certificates().resolve("client.key"));
        assertEquals("Missing client certificate client.cert for key client.key",
                assertThrows(DistributionException.Unavailable.class, this::manifest).getMessage());
    }

    @Test
    void filesThatAreSomethingElseAreToldByName() throws IOException {
        for (String content : List.of("", "no PEM", "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----")) {
            Files.copy(folder.resolve("registry.cert"), certificates().resolve("client.cert"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            Path key = Files.writeString(certificates().resolve("client.key"), content);
            String message = assertThrows(DistributionException.Unavailable.class, this::manifest, content).getMessage();
            assertTrue(message.contains(key.toString()), message);
        }
    }

    private Path certificates() {
        return folder.resolve("certs.d").resolve(registry.host());
    }

    private byte[] manifest() throws IOException {
        InsecureRegistries none = new InsecureRegistries(List.of(), List.of());
        var endpoints = new RegistryEndpoints(none, List.of(), List.of(folder.resolve("certs.d"), folder.resolve("none")), Proxies.none(), RegistryEndpoints.Hub.PUBLIC);
        var config = new RegistryConfig("balenaEngine/test", endpoints, new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), Duration.ofSeconds(5));
        ImageReference reference = ImageReference.parse(registry.host() + "/app:1");
        try (Repository repository = Repository.open(reference, Access.PULL, new Credentials.Anonymous(), config, new HttpConnections())) {
            return repository.manifest("1", new Cancellation()).content();
        }
    }

    /// Makes `<name>.key` and `<name>.cert`.
    private void sign(String name, String extension, String makingTheKey) throws Exception {
        openssl(makingTheKey.replaceFirst("( 2048)?$", " -out " + name + ".key$1"));
        Files.writeString(folder.resolve(name + ".ext"), extension + "\n");
        openssl("req -new -key " + name + ".key -subj /CN=" + name + " -out " + name + ".csr");
        openssl("x509 -req -in " + name + ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile " + name + ".ext -out " + name + ".cert");
    }

    private void openssl(String arguments) throws Exception {
        Process made = new ProcessBuilder(("openssl " + arguments).split(" ")).directory(folder.toFile()).redirectErrorStream(true).start();
        String output = new String(made.getInputStream().readAllBytes(), UTF_8);
        assertEquals(0, made.waitFor(), output);
    }
}
