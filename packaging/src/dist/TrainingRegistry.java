import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/// A registry with one image of one layer, over TLS, so that the class archive holds what a pull needs.
///
/// Run by `train`: `java TrainingRegistry.java LAYER.tar KEYSTORE PASSWORD`; prints its port.
final class TrainingRegistry {
    private static final String MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
    private static final Map<String, byte[]> CONTENT = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        byte[] tar = Files.readAllBytes(Path.of(arguments[0]));
        var packed = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(packed)) {
            gzip.write(tar);
        }
        byte[] config = """
                {"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}"""
                .formatted(System.getProperty("os.arch").replace("aarch64", "arm64"), digest(tar)).getBytes();
        CONTENT.put("/v2/train/pull/manifests/1", """
                {"schemaVersion":2,"mediaType":"%s",
                 "config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":"%s"},
                 "layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%d,"digest":"%s"}]}"""
                .formatted(MANIFEST, config.length, addBlob(config), packed.size(), addBlob(packed.toByteArray())).getBytes());
        CONTENT.put("/v2/", "{}".getBytes());

        var keys = KeyStore.getInstance("PKCS12");
        try (var file = new FileInputStream(arguments[1])) {
            keys.load(file, arguments[2].toCharArray());
        }
        var managers = KeyManagerFactory.getInstance("PKIX");
        managers.init(keys, arguments[2].toCharArray());
        var tls = SSLContext.getInstance("TLS");
        tls.init(managers.getKeyManagers(), null, null);
        HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls));
        server.createContext("/", TrainingRegistry::answer);
        server.start();
        System.out.println(server.getAddress().getPort());
    }

    private static String addBlob(byte[] blob) throws Exception {
        CONTENT.put("/v2/train/pull/blobs/" + digest(blob), blob);
        return digest(blob);
    }

    private static String digest(byte[] bytes) throws Exception {
        return "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            byte[] body = CONTENT.get(path);
            if (body == null) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            exchange.getResponseHeaders().set("Content-Type", path.contains("/manifests/") ? MANIFEST : "application/octet-stream");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
        }
    }
}
