package io.balena.engine.daemon.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// TLS on the engine's port, with certificates made by openssl and curl or openssl for a client.
@Timeout(60)
class TlsIT {
    @TempDir
    private static Path keys;

    private final List<Route> routes = List.of(
            Route.get("/_ping", _ -> new Response.Text(200, "text/plain", "OK")),
            Route.get("/large", _ -> new Response.Text(200, "text/plain", "x".repeat(3_000_000))),
            Route.post("/length", request -> new Response.Text(200, "text/plain", "" + request.body().readAllBytes().length)),
            Route.post("/attach", _ -> new Response.Hijack("application/vnd.docker.raw-stream", (in, out) -> {
                byte[] typed = in.readAllBytes(); // until the client has nothing more to say
                out.write(("heard " + new String(typed, UTF_8)).getBytes(UTF_8));
            })));
    private ApiServer server;

    @BeforeAll
    static void makeCertificates() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")) && Files.isExecutable(Path.of("/usr/bin/curl")), "needs openssl and curl");
        run("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3 -subj /CN=ca");
        run("openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 3 -subj /CN=other");
        Files.writeString(keys.resolve("extensions"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
        for (String name : List.of("server", "client")) {
            run("openssl req -newkey rsa:2048 -nodes -keyout " + name + ".key -out " + name + ".csr -subj /CN=" + name);
            run("openssl x509 -req -in " + name + ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3 -out " + name + ".pem -extfile extensions");
        }
        run("openssl rsa -in server.key -traditional -out old.key");
        run("openssl ecparam -name prime256v1 -genkey -noout -out ec.key");
        run("openssl req -x509 -key ec.key -out ec.pem -days 3 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1");
    }

    private static String run(String command) throws IOException, InterruptedException {
        var process = new ProcessBuilder("sh", "-c", command).directory(keys.toFile()).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertEquals(0, process.waitFor(), () -> command + ": " + output);
        return output;
    }

    private static boolean fails(String command) throws IOException, InterruptedException {
        var process = new ProcessBuilder("sh", "-c", command).directory(keys.toFile()).redirectErrorStream(true).start();
        process.getInputStream().readAllBytes();
        return process.waitFor() != 0;
    }

    private static TlsFiles files(String certificate, String key, boolean verify) {
        return new TlsFiles(keys.resolve(certificate), keys.resolve(key), keys.resolve("ca.pem"), verify);
    }

    private int listen(TlsFiles files) throws IOException {
        if (server != null) server.close();
        server = ApiServer.bind(List.of(new Listener.Tcp("127.0.0.1", 0, java.util.Optional.of(files))), routes, new ApiIdentity("0.1.0", false, ""), () -> {});
        String address = server.addresses().getFirst();
        return Integer.parseInt(address.substring(address.indexOf(':') + 1));
    }

    @AfterEach
    void stop() throws IOException {
        if (server != null) server.close();
    }

    @Test
    void withoutVerifyingWhoTrustsTheServerIsServed() throws Exception {
        int port = listen(files("server.pem", "server.key", false));
        assertEquals("OK", run("curl -sS --cacert ca.pem https://127.0.0.1:" + port + "/_ping"));
        assertTrue(fails("curl -s --cacert other.pem https://127.0.0.1:" + port + "/_ping"));
        assertEquals("3000000", run("curl -sS --cacert ca.pem https://127.0.0.1:" + port + "/large | wc -c").strip());
        assertEquals("5000000", run("head -c 5000000 /dev/zero | curl -sS --cacert ca.pem --data-binary @- https://127.0.0.1:" + port + "/length"));
    }

    @Test
    void aClientWithoutACertificateOfTheRightAuthorityIsTurnedAway() throws Exception {
        int port = listen(files("server.pem", "server.key", true));
        String url = " https://127.0.0.1:" + port + "/_ping";
        assertEquals("OK", run("curl -sS --cacert ca.pem --cert client.pem --key client.key" + url));
        assertTrue(fails("curl -s --cacert ca.pem" + url));
        assertTrue(fails("curl -s --cacert ca.pem --cert other.pem --key other.key" + url));
        assertTrue(fails("curl -s --cacert ca.pem --tls-max 1.1 --cert client.pem --key client.key" + url));
    }

    @Test
    void whoSpeaksPlainHttpIsNotServedAndHarmsNobody() throws Exception {
        int port = listen(files("server.pem", "server.key", false));
        try (var socket = new Socket("127.0.0.1", port)) {
            socket.getOutputStream().write("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(UTF_8));
            assertFalse(new String(socket.getInputStream().readAllBytes(), UTF_8).contains("OK"));
        }
        assertEquals("OK", run("curl -sS --cacert ca.pem https://127.0.0.1:" + port + "/_ping"));
    }

    @Test
    void theEndOfInputReachesAnAttachedContainerAndItsOutputReachesTheClient() throws Exception {
        int port = listen(files("server.pem", "server.key", true));
        String client = """
                import socket, ssl
                context = ssl.create_default_context(cafile='ca.pem')
                context.load_cert_chain('client.pem', 'client.key')
                with context.wrap_socket(socket.create_connection(('127.0.0.1', %d)), server_hostname='localhost') as s:
                    s.sendall(b'POST /attach HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n' + b'typed')
                    head = b''
                    while not head.endswith(b'\\r\\n\\r\\n'): head += s.recv(1)
                    # Python has no way to send close_notify alone: the write side of the socket is closed beneath it.
                    socket.socket.shutdown(s, socket.SHUT_WR)
                    while part := s.recv(100): print(part.decode(), end='')
                """.formatted(port);
        Files.writeString(keys.resolve("attach.py"), client);
        assertEquals("heard typed", run("python3 attach.py"));
    }

    @Test
    void keysMayBeWrittenInOlderForms() throws Exception {
        int port = listen(files("server.pem", "old.key", false));
        assertEquals("OK", run("curl -sS --cacert ca.pem https://127.0.0.1:" + port + "/_ping"));
        port = listen(files("ec.pem", "ec.key", false));
        assertEquals("OK", run("curl -sS --cacert ec.pem https://127.0.0.1:" + port + "/_ping"));
    }

    @Test
    void whatCannotBeUsedIsSaidInDockersWords() {
        Path none = keys.resolve("none");
        assertSays("Could not load X509 key pair (cert: \"" + none + "\", key: \"" + keys.resolve("server.key") + "\"): open " + none
                + ": no such file or directory", files("none", "server.key", false));
        assertSays("Error reading X509 key pair (cert: \"" + keys.resolve("server.pem") + "\", key: \"" + keys.resolve("client.key")
                + "\"): tls: private key does not match public key. Make sure the key is not encrypted.", files("server.pem", "client.key", false));
        assertSays("could not read CA certificate \"" + none + "\": open " + none + ": no such file or directory",
                new TlsFiles(keys.resolve("server.pem"), keys.resolve("server.key"), none, true));
        assertSays("failed to append certificates from PEM file: \"" + keys.resolve("server.key") + "\"",
                new TlsFiles(keys.resolve("server.pem"), keys.resolve("server.key"), keys.resolve("server.key"), true));
    }

    private void assertSays(String words, TlsFiles files) {
        assertEquals(words, assertThrows(IOException.class, () -> listen(files)).getMessage());
    }
}
