package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;

/// Debian's `docker-registry` on a port of its own, with its data in a folder of its own. Tests that need it are skipped where it is
/// not installed.
final class DebianRegistry implements TestRegistry {
    private static final Path PROGRAM = Path.of("/usr/bin/docker-registry");

    private final Process process;
    private final int port;
    private final HttpClient http = HttpClient.newHttpClient();

    private DebianRegistry(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /// @param folder for its data, configuration and log
    static DebianRegistry start(Path folder) throws IOException {
        return start(folder, "");
    }

    /// One that lets only `user` in, whose password is `secret`.
    static DebianRegistry startWithLogin(Path folder) throws IOException {
        Path users = Files.writeString(folder.resolve("users"), "user:$2b$05$iIFtVSw6qg2ijwmXyDTJ6ukmHIsYc3Xj8ZK3jeLyLa4eNRxmd9TQO\n");
        return start(folder, "auth: {htpasswd: {realm: it, path: " + users + "}}\n");
    }

    private static DebianRegistry start(Path folder, String more) throws IOException {
        Assumptions.assumeTrue(Files.isExecutable(PROGRAM), "docker-registry is not installed");
        int port = freePort();
        Path config = Files.writeString(folder.resolve("registry.yml"), """
                version: 0.1
                log: {level: error}
                storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
                http: {addr: "127.0.0.1:%d"}
                """.formatted(folder.resolve("registry"), port) + more);
        Process process = new ProcessBuilder(PROGRAM.toString(), "serve", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("registry.log").toFile())
                .start();
        // A test run that is stopped in the middle closes nothing.
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
        DebianRegistry registry = new DebianRegistry(process, port);
        registry.awaitAnswer();
        return registry;
    }

    @Override
    public String host() {
        return "127.0.0.1:" + port;
    }

    @Override
    public Digest putBlob(String repository, byte[] content) throws IOException {
        Digest digest = Digest.of(content);
        HttpResponse<?> begun = send(HttpRequest.newBuilder(uri("/v2/" + repository + "/blobs/uploads/")).POST(BodyPublishers.noBody()), 202);
        String location = begun.headers().firstValue("Location").orElseThrow();
        URI upload = URI.create(location + (location.contains("?") ? "&" : "?") + "digest=" + digest);
        send(HttpRequest.newBuilder(uri("/").resolve(upload)).PUT(BodyPublishers.ofByteArray(content)), 201);
        return digest;
    }

    @Override
    public Digest putManifest(String repository, String tagOrDigest, byte[] content, String mediaType) throws IOException {
        URI target = uri("/v2/" + repository + "/manifests/" + tagOrDigest);
        send(HttpRequest.newBuilder(target).header("Content-Type", mediaType).PUT(BodyPublishers.ofByteArray(content)), 201);
        return Digest.of(content);
    }

    @Override
    public void close() {
        http.close();
        process.destroy();
        process.onExit().join();
    }

    byte[] manifest(String repository, String tag) throws IOException {
        return send(HttpRequest.newBuilder(uri("/v2/" + repository + "/manifests/" + tag)).header("Accept", Manifest.SCHEMA2), 200).body();
    }

    private URI uri(String path) {
        return URI.create("http://" + host() + path);
    }

    private HttpResponse<byte[]> send(HttpRequest.Builder request, int expected) throws IOException {
        try {
            HttpResponse<byte[]> response = http.send(request.build(), BodyHandlers.ofByteArray());
            if (response.statusCode() == expected) return response;
            throw new IOException(response + ": " + new String(response.body(), UTF_8));
        } catch (InterruptedException e) {
            throw new InterruptedIOException();
        }
    }

    /// Until it answers; there is no event to wait for but its own port.
    private void awaitAnswer() throws IOException {
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (true) {
            try {
                http.send(HttpRequest.newBuilder(uri("/v2/")).build(), BodyHandlers.discarding());
                return;
            } catch (InterruptedException e) {
                throw new InterruptedIOException();
            } catch (ConnectException e) {
                if (!process.isAlive() || System.nanoTime() > deadline) throw e;
                LockSupport.parkNanos(10_000_000);
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
