package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A registry whose certificate is its own and for another name.
@Timeout(60)
class TlsRegistryTest {
    private static final byte[] BLOB = TestImage.noise(2_000_000, 3);
    private static final RegistryConfig CONFIG = new RegistryConfig(
                "balenaEngine/test", Set.of(), new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), Duration.ofSeconds(10));

    @TempDir
    Path folder;

    private ScriptedRegistry registry;

    @BeforeEach
    void start() throws Exception {
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(selfSigned(folder)));
        registry = new ScriptedRegistry(server);
        registry.putBlob("app", BLOB);
        registry.putManifest("app", "1", "{}".getBytes(UTF_8), Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void stop() {
        if (registry != null) registry.close();
    }

    @Test
    void onLoopbackAnyCertificateWillDo() throws IOException {
        ImageReference reference = ImageReference.parse(registry.host() + "/app:1");
        try (Repository repository = Repository.open(reference, Access.PULL, new Credentials.Anonymous(), CONFIG, new HttpConnections())) {
            Cancellation cancellation = new Cancellation();
            assertEquals(Digest.of("{}".getBytes(UTF_8)), repository.manifest("1", cancellation).digest());
            Descriptor blob = new Descriptor("", Digest.of(BLOB), BLOB.length);
            try (var stream = new BlobStream(repository, blob, RetryPolicy.of(1), cancellation, BlobStream.Watcher.NOBODY)) {
                assertArrayEquals(BLOB, stream.readAllBytes());
                stream.verify();
            }
        }
    }

    @Test
    void elsewhereOnlyOneThatAnAuthorityVouchesFor() {
        try (HttpConnections.Lease lease = new HttpConnections().lease(Trust.authorities(), Proxies.none())) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("https://" + registry.host() + "/v2/")).build();
            var answer = lease.client().sendAsync(request, _ -> new ResponseBody(CONFIG.idleTimeout()));
            IOException refusal = assertThrows(IOException.class, () -> new Cancellation().await(answer, CONFIG.idleTimeout()));
            assertEquals(SSLHandshakeException.class, refusal.getClass());
            assertEquals(false, RetryPolicy.worthRetrying(refusal));
        }
    }

    static SSLContext selfSigned(Path folder) throws Exception {
        Path keytool = Path.of(System.getProperty("java.home"), "bin/keytool");
        Assumptions.assumeTrue(Files.isExecutable(keytool), "this Java has no keytool");
        Path file = folder.resolve("keys.p12");
        Process made = new ProcessBuilder(keytool.toString(), "-genkeypair", "-keyalg", "EC", "-dname", "CN=registry.invalid", "-alias", "r",
                        "-storetype", "PKCS12", "-keystore", file.toString(), "-storepass", "changeit")
                .redirectErrorStream(true)
                .start();
        String output = new String(made.getInputStream().readAllBytes(), UTF_8);
        assertEquals(0, made.waitFor(), output);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            keys.load(in, "changeit".toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }
}
