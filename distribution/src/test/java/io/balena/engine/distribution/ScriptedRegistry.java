package io.balena.engine.distribution;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsServer;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/// A registry that serves what it was given, and misbehaves as told: really, over HTTP.
final class ScriptedRegistry implements TestRegistry {
    /// @param body what a well-behaved registry would send; null when it has nothing there
    interface Answer {
        void give(HttpExchange exchange, Content content) throws IOException;
    }

    record Content(byte[] bytes, String mediaType) {}

    record Request(String method, String path, Optional<String> range, Optional<String> authorization, String userAgent) {}

    private final HttpServer server;
    private final int port;
    private final Optional<PlainHttpDoor> door;
    private final Map<String, Content> contents = new ConcurrentHashMap<>();
    private final Map<String, Queue<Answer>> script = new ConcurrentHashMap<>();
    private final Map<String, Answer> always = new ConcurrentHashMap<>();
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final AtomicLong blobBytes = new AtomicLong();
    private final ScriptedUploads uploads = new ScriptedUploads(this);

    ScriptedRegistry() throws IOException {
        this(HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
    }

    /// Over TLS when given such a server.
    ScriptedRegistry(HttpServer server) throws IOException {
        this.server = server;
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", this::serve);
        server.start();
        door = server instanceof HttpsServer ? Optional.empty() : Optional.of(new PlainHttpDoor(server.getAddress()));
        port = door.map(PlainHttpDoor::port).orElse(server.getAddress().getPort());
    }

    @Override
    public String host() {
        return "127.0.0.1:" + port;
    }

    @Override
    public Digest putBlob(String repository, byte[] content) {
        Digest digest = Digest.of(content);
        contents.put("/v2/" + repository + "/blobs/" + digest, new Content(content, "application/octet-stream"));
        return digest;
    }

    @Override
    public Digest putManifest(String repository, String tagOrDigest, byte[] content, String mediaType) {
        Digest digest = Digest.of(content);
        contents.put("/v2/" + repository + "/manifests/" + tagOrDigest, new Content(content, mediaType));
        contents.put("/v2/" + repository + "/manifests/" + digest, new Content(content, mediaType));
        return digest;
    }

    /// Answers the next requests whose path ends so, one each; then it behaves again.
    void next(String pathEnd, Answer... answers) {
        script.computeIfAbsent(pathEnd, _ -> new ConcurrentLinkedQueue<>()).addAll(List.of(answers));
    }

    /// Answers the next requests of that method, one each; what the client sends is left to them to read.
    void nextOf(String method, Answer... answers) {
        next(method + " ", answers);
    }

    void always(String pathEnd, Answer answer) {
        always.put(pathEnd, answer);
    }

    List<Request> requests(String pathEnd) {
        return requests.stream().filter(request -> request.path().endsWith(pathEnd)).toList();
    }

    List<Request> requests() {
        return List.copyOf(requests);
    }

    List<Request> requestsOf(String method) {
        return requests.stream().filter(request -> request.method().equals(method)).toList();
    }

    /// How it takes what is pushed to it.
    ScriptedUploads uploads() {
        return uploads;
    }

    Optional<byte[]> blob(String repository, Digest digest) {
        return Optional.ofNullable(contents.get("/v2/" + repository + "/blobs/" + digest)).map(Content::bytes);
    }

    Optional<byte[]> manifest(String repository, String tag) {
        return Optional.ofNullable(contents.get("/v2/" + repository + "/manifests/" + tag)).map(Content::bytes);
    }

    /// Bytes of blobs written to clients.
    long blobBytes() {
        return blobBytes.get();
    }

    @Override
    public void close() {
        try {
            if (door.isPresent()) door.get().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.stop(0);
    }

    static Answer status(int status, String body) {
        return (exchange, _) -> {
            boolean empty = body.isEmpty() || exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(status, empty ? -1 : body.length());
            if (empty) return;
            exchange.getResponseBody().write(body.getBytes());
        };
    }

    static Answer error(int status, String code, String message) {
        return status(status, "{\"errors\":[{\"code\":\"" + code + "\",\"message\":\"" + message + "\"}]}");
    }

    static Answer redirect(String location) {
        return (exchange, _) -> {
            exchange.getResponseHeaders().set("Location", location);
            exchange.sendResponseHeaders(307, -1);
        };
    }

    /// Sends other bytes than it should.
    static Answer bytes(byte[] content) {
        return (exchange, wanted) -> {
            if (wanted != null) exchange.getResponseHeaders().set("Content-Type", wanted.mediaType());
            exchange.sendResponseHeaders(200, content.length == 0 ? -1 : content.length);
            exchange.getResponseBody().write(content);
        };
    }

    /// Honours a range, announces the whole rest, then cuts the connection.
    Answer dropAfter(int bytes) {
        return (exchange, content) -> {
            send(exchange, content, bytes);
            // The JDK's client may lose what it has when the end comes while it is still handing over the beginning.
            LockSupport.parkNanos(20_000_000);
        };
    }

    /// Sends everything from the start, whatever range was asked for.
    static Answer ignoringRanges() {
        return (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.bytes().length);
            exchange.getResponseBody().write(content.bytes());
        };
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().toString();
            String method = exchange.getRequestMethod();
            requests.add(new Request(method, path, header(exchange, "Range"), header(exchange, "Authorization"),
                    header(exchange, "User-Agent").orElse("")));
            Content content = contents.get(path);
            Optional<Answer> unread = scripted(method + " ");
            if (unread.isPresent()) {
                unread.get().give(exchange, content);
                return;
            }
            byte[] body = exchange.getRequestBody().readAllBytes();
            Optional<Answer> scripted = scripted(path);
            if (scripted.isPresent()) scripted.get().give(exchange, content);
            else if (uploads.takes(exchange)) uploads.take(exchange, body);
            else if (content == null) error(404, path.contains("/manifests/") ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN", "unknown").give(exchange, null);
            else send(exchange, content, Integer.MAX_VALUE);
        }
    }

    private Optional<Answer> scripted(String path) {
        for (var entry : script.entrySet()) {
            if (!path.endsWith(entry.getKey())) continue;
            Answer answer = entry.getValue().poll();
            if (answer != null) return Optional.of(answer);
        }
        return always.entrySet().stream().filter(entry -> path.endsWith(entry.getKey())).map(Map.Entry::getValue).findFirst();
    }

    void send(HttpExchange exchange, Content content, int most) throws IOException {
        byte[] bytes = content.bytes();
        int start = header(exchange, "Range").map(range -> Integer.parseInt(range.replaceAll("\\D", ""))).orElse(0);
        exchange.getResponseHeaders().set("Content-Type", content.mediaType());
        if (start >= bytes.length && start > 0) {
            exchange.sendResponseHeaders(416, -1);
            return;
        }
        if (start > 0) exchange.getResponseHeaders().set("Content-Range", "bytes " + start + "-" + (bytes.length - 1) + "/" + bytes.length);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", "" + bytes.length);
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        exchange.sendResponseHeaders(start > 0 ? 206 : 200, bytes.length == start ? -1 : bytes.length - start);
        int count = Math.min(most, bytes.length - start);
        exchange.getResponseBody().write(bytes, start, count);
        exchange.getResponseBody().flush();
        if (exchange.getRequestURI().getPath().contains("/blobs/")) blobBytes.addAndGet(count);
    }

    private static Optional<String> header(HttpExchange exchange, String name) {
        return Optional.ofNullable(exchange.getRequestHeaders().getFirst(name));
    }
}
