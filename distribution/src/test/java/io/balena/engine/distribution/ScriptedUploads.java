package io.balena.engine.distribution;

import com.sun.net.httpserver.HttpExchange;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How a [ScriptedRegistry] takes blobs and manifests: as the specification says, and with what different registries make of it.
final class ScriptedUploads {
    private static final Pattern UPLOAD = Pattern.compile("/v2/(.+)/blobs/uploads/(\\d*)(?:\\?(.*))?");
    private static final Pattern MANIFEST = Pattern.compile("/v2/(.+)/manifests/([^/]+)");

    /// How `Location` spells where to go on.
    enum Location {
        RELATIVE, ABSOLUTE, WITH_QUERY
    }

    private final ScriptedRegistry registry;
    private final Map<String, ByteArrayOutputStream> received = new ConcurrentHashMap<>();
    private final AtomicInteger count = new AtomicInteger();
    private volatile Location location = Location.RELATIVE;
    private volatile boolean mounts = true;

    ScriptedUploads(ScriptedRegistry registry) {
        this.registry = registry;
    }

    void spell(Location how) {
        location = how;
    }

    /// It begins an upload instead of taking blobs from other repositories.
    void refuseMounts() {
        mounts = false;
    }

    /// Uploads that were begun and neither completed nor abandoned.
    int open() {
        return received.size();
    }

    /// Reads so many bytes of what is sent, keeps them, and then answers: without reading on.
    ScriptedRegistry.Answer after(int bytes, ScriptedRegistry.Answer answer) {
        return (exchange, content) -> {
            keep(exchange, exchange.getRequestBody().readNBytes(bytes));
            answer.give(exchange, content);
        };
    }

    /// Reads all that is sent, keeps nothing of it, and answers. Who answers without reading may not be heard: the connection ends under
    /// what is still being written.
    ScriptedRegistry.Answer unmoved(ScriptedRegistry.Answer answer) {
        return (exchange, content) -> {
            exchange.getRequestBody().readAllBytes();
            answer.give(exchange, content);
        };
    }

    /// Reads so many bytes of what is sent, keeps them, and cuts the connection.
    ScriptedRegistry.Answer cutAfter(int bytes) {
        return after(bytes, (_, _) -> {});
    }

    /// Takes it whole, and cuts the connection instead of saying so.
    ScriptedRegistry.Answer takeInSilence() {
        return (exchange, _) -> complete(exchange);
    }

    boolean takes(HttpExchange exchange) {
        String path = exchange.getRequestURI().toString();
        return UPLOAD.matcher(path).matches() || exchange.getRequestMethod().equals("PUT") && MANIFEST.matcher(path).matches();
    }

    void take(HttpExchange exchange, byte[] body) throws IOException {
        Matcher manifest = MANIFEST.matcher(exchange.getRequestURI().toString());
        if (manifest.matches()) {
            registry.putManifest(manifest.group(1), manifest.group(2), body, exchange.getRequestHeaders().getFirst("Content-Type"));
            exchange.sendResponseHeaders(201, -1);
            return;
        }
        switch (exchange.getRequestMethod()) {
            case "POST" -> begin(exchange);
            case "PATCH" -> answer(exchange, 202, keep(exchange, body));
            case "GET" -> answer(exchange, 204, keep(exchange, body));
            case "PUT" -> exchange.sendResponseHeaders(complete(exchange) ? 201 : 400, -1);
            case "DELETE" -> exchange.sendResponseHeaders(received.remove(id(exchange)) == null ? 404 : 204, -1);
            default -> exchange.sendResponseHeaders(405, -1);
        }
    }

    private void begin(HttpExchange exchange) throws IOException {
        Matcher upload = upload(exchange);
        String repository = upload.group(1);
        if (upload.group(3) != null && mounts) {
            String[] asked = upload.group(3).replace("mount=", "").split("&from=");
            var blob = registry.blob(asked[1], Digest.parse(asked[0]));
            if (blob.isPresent()) {
                registry.putBlob(repository, blob.get());
                exchange.sendResponseHeaders(201, -1);
                return;
            }
        }
        String id = "" + count.incrementAndGet();
        received.put(id, new ByteArrayOutputStream());
        exchange.getResponseHeaders().set("Location", place(repository, id));
        exchange.sendResponseHeaders(202, -1);
    }

    private String place(String repository, String id) {
        String relative = "/v2/" + repository + "/blobs/uploads/" + id;
        return switch (location) {
            case RELATIVE -> relative;
            case ABSOLUTE -> "http://" + registry.host() + relative;
            case WITH_QUERY -> relative + "?_state=a%2Fb%3D&other=1";
        };
    }

    /// @return how much there is now
    private int keep(HttpExchange exchange, byte[] bytes) {
        ByteArrayOutputStream upload = received.get(id(exchange));
        if (upload == null) return -1;
        upload.writeBytes(bytes);
        return upload.size();
    }

    private void answer(HttpExchange exchange, int status, int size) throws IOException {
        if (size >= 0) {
            exchange.getResponseHeaders().set("Range", "0-" + Math.max(0, size - 1));
            exchange.getResponseHeaders().set("Location", place(upload(exchange).group(1), id(exchange)));
        }
        exchange.sendResponseHeaders(size < 0 ? 404 : status, -1);
    }

    private boolean complete(HttpExchange exchange) {
        String query = upload(exchange).group(3);
        Digest claimed = Digest.parse(query.replaceFirst(".*digest=", ""));
        boolean stateKept = location != Location.WITH_QUERY || query.startsWith("_state=a%2Fb%3D&other=1&");
        ByteArrayOutputStream upload = received.remove(id(exchange));
        if (upload == null || !stateKept || !Digest.of(upload.toByteArray()).equals(claimed)) return false;
        registry.putBlob(upload(exchange).group(1), upload.toByteArray());
        return true;
    }

    private static String id(HttpExchange exchange) {
        return upload(exchange).group(2);
    }

    private static Matcher upload(HttpExchange exchange) {
        Matcher matcher = UPLOAD.matcher(exchange.getRequestURI().toString());
        if (!matcher.matches()) throw new IllegalArgumentException("" + exchange.getRequestURI());
        return matcher;
    }
}
