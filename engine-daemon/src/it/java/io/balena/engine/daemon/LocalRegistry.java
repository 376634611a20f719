package io.balena.engine.daemon;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPOutputStream;

/// Debian's docker-registry on loopback, and a way to put images into it.
final class LocalRegistry implements AutoCloseable {
    final String address;
    private final Process process;
    private final HttpClient http = HttpClient.newHttpClient();

    private LocalRegistry(String address, Process process) {
        this.address = address;
        this.process = process;
    }

    static LocalRegistry start(Path folder) throws Exception {
        String program = Tools.need("docker-registry");
        int port;
        try (var free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Path config = folder.resolve("registry.yml");
        Files.writeString(config, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " + folder.resolve("registry")
                + "}}\nhttp: {addr: \"127.0.0.1:" + port + "\"}\n");
        Process process = new ProcessBuilder(program, "serve", config.toString()).redirectErrorStream(true)
                .redirectOutput(folder.resolve("registry.log").toFile()).start();
        var registry = new LocalRegistry("127.0.0.1:" + port, process);
        while (!registry.answers()) {
            if (!process.isAlive()) throw new IOException("docker-registry ended: " + Files.readString(folder.resolve("registry.log")));
            Thread.yield();
        }
        return registry;
    }

    private boolean answers() throws InterruptedException {
        try {
            return http.send(HttpRequest.newBuilder(URI.create("http://" + address + "/v2/")).build(), HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException e) {
            return false;
        }
    }

    /// Pushes an image of one layer.
    ///
    /// @return the digest of its manifest
    String push(String repository, String tag, byte[] tar) throws Exception {
        var compressed = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(compressed)) {
            gzip.write(tar);
        }
        byte[] layer = compressed.toByteArray();
        byte[] config = ("{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\",\"config\":{\"Cmd\":[\"sh\"],\"Labels\":{\"a\":\"b\"}},"
                + "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + digest(tar) + "\"]},"
                + "\"history\":[{\"created\":\"2026-01-02T03:04:05Z\",\"created_by\":\"a test\"}]}").getBytes(StandardCharsets.UTF_8);
        blob(repository, layer);
        blob(repository, config);
        byte[] manifest = ("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"config\":"
                + "{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":" + config.length + ",\"digest\":\"" + digest(config) + "\"},"
                + "\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":" + layer.length + ",\"digest\":\""
                + digest(layer) + "\"}]}").getBytes(StandardCharsets.UTF_8);
        expect(201, HttpRequest.newBuilder(URI.create("http://" + address + "/v2/" + repository + "/manifests/" + tag))
                .header("Content-Type", "application/vnd.docker.distribution.manifest.v2+json").PUT(HttpRequest.BodyPublishers.ofByteArray(manifest)).build());
        return digest(manifest);
    }

    private void blob(String repository, byte[] content) throws Exception {
        var begun = expect(202, HttpRequest.newBuilder(URI.create("http://" + address + "/v2/" + repository + "/blobs/uploads/"))
                .POST(HttpRequest.BodyPublishers.noBody()).build());
        String location = begun.headers().firstValue("Location").orElseThrow();
        String separator = location.contains("?") ? "&" : "?";
        expect(201, HttpRequest.newBuilder(URI.create(location + separator + "digest=" + digest(content)))
                .PUT(HttpRequest.BodyPublishers.ofByteArray(content)).build());
    }

    private HttpResponse<String> expect(int status, HttpRequest request) throws Exception {
        HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != status) throw new IOException(request + ": " + response.statusCode() + " " + response.body());
        return response;
    }

    static String digest(byte[] content) throws Exception {
        return "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    @Override
    public void close() throws Exception {
        process.destroy();
        process.waitFor();
        http.close();
    }
}
