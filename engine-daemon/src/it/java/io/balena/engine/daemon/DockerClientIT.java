package io.balena.engine.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.Tools.Result;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Images and the engine itself, with the real docker command lines of this machine, a real registry and a real data root.
@Timeout(120)
class DockerClientIT {
    @TempDir
    private static Path folder;

    private static DaemonProcess daemon;
    private static LocalRegistry registry;
    private static byte[] tar;
    private static String digest;

    @BeforeAll
    static void start() throws Exception {
        Tools.needRoot();
        registry = LocalRegistry.start(folder);
        tar = tar();
        digest = registry.push("deep/name/app", "1", tar);
        daemon = DaemonProcess.start(folder, List.of(), "-H", "unix://" + folder.resolve("api.sock"), "-D").ready();
    }

    @AfterAll
    static void stop() throws Exception {
        if (daemon != null) daemon.close();
        if (registry != null) registry.close();
    }

    static Stream<String> clients() {
        return Stream.of("/usr/local/bin/docker", "/usr/bin/docker").filter(client -> Files.isExecutable(Path.of(client)));
    }

    private static byte[] tar() throws Exception {
        Path root = Files.createDirectories(folder.resolve("root/bin"));
        Files.writeString(root.resolve("hello"), "hello\n".repeat(100_000));
        Path file = folder.resolve("root.tar");
        Tools.run(Path.of("/dev/null"), List.of("tar", "-C", folder.resolve("root").toString(), "-cf", file.toString(), "."));
        return Files.readAllBytes(file);
    }

    private static Result docker(Path input, String client, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(client, "-H", "unix://" + daemon.socket));
        command.addAll(List.of(arguments));
        return Tools.run(input, command);
    }

    private static String docker(String client, String... arguments) throws Exception {
        Result result = docker(Path.of("/dev/null"), client, arguments);
        assertEquals(0, result.exit(), () -> String.join(" ", arguments) + ": " + result.output() + "\n" + daemon.log());
        return result.output().strip();
    }

    private static String refused(String client, String... arguments) throws Exception {
        Result result = docker(Path.of("/dev/null"), client, arguments);
        assertFalse(result.exit() == 0, result.output());
        return result.output().strip();
    }

    private static String http(String request) throws IOException {
        try (var client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            client.connect(UnixDomainSocketAddress.of(daemon.socket));
            client.write(ByteBuffer.wrap(request.getBytes(UTF_8)));
            return new String(Channels.newInputStream(client).readAllBytes(), UTF_8);
        }
    }

    private static String get(String target) throws IOException {
        return http("GET " + target + " HTTP/1.0\r\n\r\n");
    }

    @ParameterizedTest
    @MethodSource("clients")
    void versionAndInfo(String client) throws Exception {
        assertTrue(docker(client, "version").contains("Engine:"));
        assertEquals("overlay2", docker(client, "info", "--format", "{{.Driver}}"));
        assertTrue(get("/version").contains("\"Engine\":\"balena-engine\""));
        docker(client, "system", "df");
        docker(client, "network", "ls");
        docker(client, "volume", "ls");
    }

    @ParameterizedTest
    @MethodSource("clients")
    void anImageIsPulledListedTaggedAndRemoved(String client) throws Exception {
        String name = registry.address + "/deep/name/app";
        String pulled = docker(client, "pull", name + ":1");
        assertTrue(pulled.contains("Pulling from deep/name/app"), pulled);
        assertTrue(pulled.contains("Pull complete"), pulled);
        assertTrue(pulled.contains("Digest: " + digest), pulled);
        assertTrue(pulled.contains("Status: Downloaded newer image for " + name + ":1"), pulled);
        assertTrue(docker(client, "pull", name + ":1").contains("Status: Image is up to date for " + name + ":1"));

        assertTrue(docker(client, "images", "--digests").contains(digest));
        assertEquals(name + ":1", docker(client, "images", "--filter", "reference=*/deep/*/app", "--format", "{{.Repository}}:{{.Tag}}"));
        assertEquals("[" + name + ":1] [" + name + "@" + digest + "] [sh] map[a:b] overlay2",
                docker(client, "inspect", "--format", "{{.RepoTags}} {{.RepoDigests}} {{.Config.Cmd}} {{.Config.Labels}} {{.GraphDriver.Name}}", name + ":1"));
        assertTrue(docker(client, "history", name + ":1").contains("a test"));
        assertEquals("", docker(client, "tag", name + ":1", "other:2"));
        assertTrue(docker(client, "rmi", name + ":1").contains("Untagged: " + name + ":1"));
        assertTrue(docker(client, "rmi", "other:2").contains("Deleted: sha256:"));
        assertEquals("", docker(client, "images", "-qa"));

        assertTrue(docker(client, "pull", name + "@" + digest).contains("Digest: " + digest));
        docker(client, "rmi", name + "@" + digest);
        assertEquals("", docker(client, "images", "-qa"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aTarIsImported(String client) throws Exception {
        Path file = folder.resolve("root.tar");
        Result imported = docker(file, client, "import", "--change", "CMD [\"/bin/hello\"]", "--message", "from a test", "-", "imported:1");
        assertEquals(0, imported.exit(), imported.output());
        assertEquals("[/bin/hello] from a test", docker(client, "inspect", "--format", "{{.Config.Cmd}} {{.Comment}}", "imported:1"));
        docker(client, "rmi", "imported:1");
        assertFalse(refused(client, "import", "http://127.0.0.1:1/x", "x").isEmpty());
    }

    @ParameterizedTest
    @MethodSource("clients")
    void whatIsMissingIsSaidInDockersWords(String client) throws Exception {
        assertTrue(refused(client, "rmi", "nosuch").contains("No such image: nosuch"));
        assertTrue(refused(client, "inspect", "nosuch").contains("nosuch"));
        assertTrue(refused(client, "pull", registry.address + "/nosuch:1").contains("not found"));
        assertTrue(refused(client, "tag", "nosuch", "a:b").contains("No such image: nosuch:latest"));
        assertTrue(refused(client, "swarm", "leave").contains("This node is not"));
    }

    @Test
    void badRequestsChangeNothing() throws Exception {
        assertTrue(get("/images/json?filters=%7B%22foo%22%3A%5B%22a%22%5D%7D").contains("{\"message\":\"Invalid filter 'foo'\"}"));
        assertTrue(get("/images/json?filters=x").startsWith("HTTP/1.0 400 "));
        assertTrue(http("POST /images/create?fromImage=UPPER HTTP/1.0\r\n\r\n")
                .contains("must be lowercase"));
        assertTrue(http("POST /images/create HTTP/1.0\r\n\r\n").startsWith("HTTP/1.0 400 "));
        assertTrue(http("POST /images/x/tag?repo= HTTP/1.0\r\n\r\n").startsWith("HTTP/1.0 400 "));
        assertTrue(http("POST /images/create?fromSrc=-&repo=x HTTP/1.0\r\nContent-Length: 7\r\n\r\ngarbage").startsWith("HTTP/1.0 "));
        assertTrue(get("/services").startsWith("HTTP/1.0 503 "));
        assertTrue(daemon.isAlive());
    }

    @Test
    void anImportThatBreaksOffLeavesNoImage() throws Exception {
        try (var client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            client.connect(UnixDomainSocketAddress.of(daemon.socket));
            client.write(ByteBuffer.wrap(("POST /images/create?fromSrc=-&repo=half HTTP/1.1\r\nHost: x\r\nContent-Length: " + tar.length + "\r\n\r\n").getBytes(UTF_8)));
            client.write(ByteBuffer.wrap(tar, 0, 4000));
            client.shutdownOutput();
            assertFalse(new String(Channels.newInputStream(client).readAllBytes(), UTF_8).startsWith("HTTP/1.1 200"));
        }
        assertEquals("", docker("/usr/local/bin/docker", "images", "-qa", "half"));
    }

    @Test
    void eventsTellWhatHappenedToImages() throws Exception {
        try (var client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            client.connect(UnixDomainSocketAddress.of(daemon.socket));
            client.write(ByteBuffer.wrap("GET /events?filters=%7B%22event%22%3A%5B%22tag%22%5D%7D HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(UTF_8)));
            var bytes = ByteBuffer.allocate(64 * 1024);
            client.read(bytes);
            docker(folder.resolve("root.tar"), "/usr/local/bin/docker", "import", "-", "event:1");
            docker("/usr/local/bin/docker", "tag", "event:1", "event:2");
            while (!new String(bytes.array(), 0, bytes.position(), UTF_8).contains("timeNano")) client.read(bytes);
            String event = new String(bytes.array(), 0, bytes.position(), UTF_8);
            assertTrue(event.contains("{\"status\":\"tag\",\"id\":\"sha256:"), event);
            assertTrue(event.contains("\"name\":\"event:2\""), event);
        }
        docker("/usr/local/bin/docker", "rmi", "event:1", "event:2");
    }
}
