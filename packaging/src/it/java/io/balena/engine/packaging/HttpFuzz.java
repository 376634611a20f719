package io.balena.engine.packaging;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/// Requests nobody would send: endpoints and bodies that clients do send, altered in ways that a seed decides.
final class HttpFuzz {
    private static final List<String> METHODS = List.of("GET", "GET", "POST", "POST", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "get", "");
    private static final List<String> NAMES = List.of("fuzzed", "nope", "", "..", "%2e%2e%2f", "%00", "%ff", "a".repeat(300), "sha256:00", "ä", "a/b", "-1");
    private static final List<String> PATHS = List.of("/containers/json", "/containers/create", "/containers/N/json", "/containers/N/start",
            "/containers/N/stop", "/containers/N/kill", "/containers/N/update", "/containers/N/rename", "/containers/N/wait", "/containers/N/resize",
            "/containers/N/logs", "/containers/N/top", "/containers/N/stats", "/containers/N/changes", "/containers/N/exec", "/containers/N/attach",
            "/containers/N/attach/ws", "/containers/N/archive", "/containers/N", "/exec/N/start", "/exec/N/json", "/exec/N/resize", "/images/json",
            "/images/N/json", "/images/N/history", "/images/N/tag", "/images/N", "/images/load", "/images/N/get", "/images/get", "/commit",
            "/volumes", "/volumes/create", "/volumes/N", "/networks", "/networks/create", "/networks/N", "/networks/N/connect", "/info", "/version",
            "/_ping", "/events", "/system/df", "/auth", "/swarm", "/nodes", "/plugins", "/distribution/N/json", "/build/prune");
    private static final List<String> PARAMETERS = List.of("all", "limit", "size", "filters", "name", "t", "signal", "condition", "h", "w", "stdout",
            "stderr", "stream", "tail", "since", "until", "path", "force", "v", "ps_args", "one-shot", "repo", "tag", "container", "names", "logs");
    private static final List<String> VALUES = List.of("1", "0", "-1", "99999999999999999999", "x", "", "%00", "%zz", "%ff", "{}", "[]", "{\"a\":1}",
            "{\"status\":[\"exited\"]}", "{\"status\":{\"x\":true}}", "1e400", "null", "/etc/../..", "\"", "9".repeat(2000), "2020-01-01T00:00:00Z");
    private static final List<String> KEYS = List.of("Image", "Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir", "Tty", "OpenStdin", "Healthcheck",
            "StopSignal", "StopTimeout", "ExposedPorts", "Volumes", "HostConfig", "NetworkingConfig", "Memory", "NanoCpus", "CpusetCpus", "Binds", "Mounts",
            "PortBindings", "RestartPolicy", "NetworkMode", "CapAdd", "SecurityOpt", "Ulimits", "Devices", "LogConfig", "Tmpfs", "Sysctls", "ShmSize",
            "IpcMode", "PidMode", "ExtraHosts", "Dns", "Name", "Driver", "DriverOpts", "Options", "IPAM", "Config", "Subnet", "Container", "Detach",
            "ConsoleSize", "AttachStdout", "DetachKeys", "Type", "Source", "Target", "Test", "Interval", "MaximumRetryCount", "username", "serveraddress");
    private static final List<String> TEXTS = List.of("", "busybox", "none", "host", "container:nope", "/a:/b", "80/tcp", "99999/udp", "a=b", "=", "\\u0000",
            "\\ud800", "always", "local", "SIGKILL", "../..", "seccomp=/nope", "1.5", "tcp://[::", "x".repeat(5000));

    private final Random random;

    HttpFuzz(long seed) {
        random = new Random(seed);
    }

    /// The next request, as bytes.
    byte[] next() {
        byte[] body = random.nextInt(10) < 6 ? value(0).getBytes(UTF_8) : random.nextBoolean() ? new byte[0] : noise(random.nextInt(300));
        var head = new StringBuilder();
        head.append(of(METHODS)).append(' ').append(target()).append(random.nextInt(20) == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\nHost: x\r\n");
        if (random.nextInt(8) > 0) head.append("Content-Type: application/json\r\n");
        if (random.nextInt(12) == 0) head.append("Expect: 100-continue\r\n");
        if (random.nextInt(12) == 0) head.append("Connection: Upgrade\r\nUpgrade: tcp\r\n");
        if (random.nextInt(12) == 0) head.append("X-Registry-Auth: ").append(of(TEXTS)).append("\r\n");
        boolean chunked = random.nextInt(6) == 0;
        if (chunked) head.append("Transfer-Encoding: chunked\r\n\r\n").append(Integer.toHexString(body.length)).append("\r\n");
        else head.append("Content-Length: ").append(random.nextInt(25) == 0 ? random.nextInt() : body.length).append("\r\n\r\n");
        var request = new ByteArrayOutputStream();
        request.writeBytes(head.toString().getBytes(UTF_8));
        request.writeBytes(body);
        if (chunked) request.writeBytes("\r\n0\r\n\r\n".getBytes(UTF_8));
        byte[] bytes = request.toByteArray();
        if (random.nextInt(6) == 0) for (int i = 0; i < 1 + random.nextInt(5); i++) bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        return random.nextInt(20) == 0 ? java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
    }

    private String target() {
        var target = new StringBuilder(random.nextInt(5) == 0 ? "" : "/v1." + (24 + random.nextInt(20))).append(of(PATHS).replace("N", of(NAMES)));
        for (int i = random.nextInt(4); i > 0; i--) target.append(target.indexOf("?") < 0 ? '?' : '&').append(of(PARAMETERS)).append('=').append(of(VALUES));
        return target.toString();
    }

    private String value(int depth) {
        return switch (depth == 0 ? 0 : depth > 5 ? 3 + random.nextInt(5) : random.nextInt(8)) {
            case 0, 1 -> {
                var object = new StringBuilder("{");
                for (int i = random.nextInt(5); i > 0; i--) object.append(object.length() > 1 ? "," : "").append('"').append(of(KEYS)).append("\":").append(value(depth + 1));
                yield object.append('}').toString();
            }
            case 2 -> {
                var array = new StringBuilder("[");
                for (int i = random.nextInt(4); i > 0; i--) array.append(array.length() > 1 ? "," : "").append(value(depth + 1));
                yield array.append(']').toString();
            }
            case 3 -> String.valueOf(random.nextLong());
            case 4 -> random.nextBoolean() ? "1.5e300" : "-0";
            case 5 -> of(List.of("true", "false", "null"));
            default -> '"' + of(TEXTS) + '"';
        };
    }

    private byte[] noise(int length) {
        byte[] noise = new byte[length];
        random.nextBytes(noise);
        return noise;
    }

    private <T> T of(List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    /// Sends and reads what comes, for a short while: a stream has no end.
    ///
    /// @return the status line; empty when nothing came
    static String ask(Path socket, byte[] request) throws IOException {
        try (var channel = SocketChannel.open(StandardProtocolFamily.UNIX); var selector = Selector.open()) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            for (var bytes = ByteBuffer.wrap(request); bytes.hasRemaining(); ) channel.write(bytes);
            channel.shutdownOutput();
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ);
            var head = ByteBuffer.allocate(64 * 1024);
            while (head.hasRemaining() && selector.select(200) > 0) {
                selector.selectedKeys().clear();
                if (channel.read(head) < 0) break;
            }
            String answer = new String(head.array(), 0, head.position(), ISO_8859_1);
            return answer.startsWith("HTTP/1.1 100") ? answer.substring(Math.min(answer.length(), 25)) : answer;
        }
    }
}
