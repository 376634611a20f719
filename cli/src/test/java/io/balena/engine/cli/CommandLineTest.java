package io.balena.engine.cli;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// The command line against an engine of a few bytes: what it asks, and what it makes of the answers.
class CommandLineTest {
    @TempDir Path folder;

    private record Printed(int status, String out, String err) {}

    private static Printed run(String... arguments) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        try (var console = new PrintStream(out, true, UTF_8); var errors = new PrintStream(err, true, UTF_8)) {
            int status = Main.run(new Console(InputStream.nullInputStream(), console, errors), arguments);
            console.flush();
            errors.flush();
            return new Printed(status, out.toString(UTF_8), err.toString(UTF_8));
        }
    }

    /// Gives each connection one of the answers, and keeps the first lines of what was asked.
    private List<String> answering(Path socket, String... answers) throws IOException {
        var asked = new ArrayList<String>();
        var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(() -> {
            try (server) {
                for (var answer : answers) {
                    try (var connection = server.accept()) {
                        var reader = new java.io.BufferedReader(Channels.newReader(connection, UTF_8));
                        synchronized (asked) {
                            asked.add(reader.readLine());
                        }
                        while (!reader.readLine().isEmpty()) { /* the headers */ }
                        for (var bytes = ByteBuffer.wrap(answer.getBytes(UTF_8)); bytes.hasRemaining(); ) connection.write(bytes);
                    }
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        return asked;
    }

    private static String json(int status, String body) {
        return "HTTP/1.1 " + status + " x\r\nContent-Length: " + body.getBytes(UTF_8).length + "\r\n\r\n" + body;
    }

    /// With an extension and a trailer, which nobody needs and everybody must be able to skip.
    private static String chunked(String... chunks) {
        var text = new StringBuilder("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (var chunk : chunks) text.append(Integer.toHexString(chunk.length())).append(";x=y\r\n").append(chunk).append("\r\n");
        return text + "0\r\nTrailer: x\r\n\r\n";
    }

    @Test void aListIsATable() throws IOException {
        var socket = folder.resolve("s");
        var asked = answering(socket, json(200, """
                [{"Id":"sha256:0123456789abcdef","RepoTags":["a/b:1","c:2"],"Created":0,"Size":1980000}]"""));
        var printed = run("-H", "unix://" + socket, "image", "ls", "-a");
        assertEquals(0, printed.status);
        assertEquals(List.of("GET /v1.41/images/json?all=1 HTTP/1.1"), asked);
        var lines = printed.out.lines().toList();
        assertEquals("REPOSITORY   TAG       IMAGE ID       CREATED        SIZE", lines.get(0));
        assertTrue(lines.get(1).matches("a/b          1         0123456789ab   \\d+ years ago   1.98MB"), lines.get(1));
        assertEquals(3, lines.size());
    }

    @Test void chunksArePutTogetherWhereverTheyAreCut() throws IOException {
        var socket = folder.resolve("s");
        answering(socket, chunked("[{\"Id", "\":\"sha256:aabbccdd\"}", "]"));
        assertEquals("aabbccdd", run("-H", "unix://" + socket, "images", "-q").out.strip());
    }

    @Test void anAnswerThatBreaksOffIsAnError() throws IOException {
        var socket = folder.resolve("s");
        answering(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[");
        var printed = run("-H", "unix://" + socket, "images");
        assertEquals(1, printed.status);
        assertTrue(printed.err.contains("unexpected EOF"), printed.err);
    }

    @Test void theEnginesRefusalIsPrintedAndTheOthersAreStillTried() throws IOException {
        var socket = folder.resolve("s");
        var asked = answering(socket, json(404, "{\"message\":\"No such container: a\"}"), json(204, ""));
        var printed = run("-H", "unix://" + socket, "stop", "-t", "3", "a", "b");
        assertEquals(new Printed(1, "b\n", "Error response from daemon: No such container: a\n"), printed);
        assertEquals("POST /v1.41/containers/b/stop?t=3 HTTP/1.1", asked.get(1));
    }

    @Test void namesCannotAddToTheRequest() throws IOException {
        var socket = folder.resolve("s");
        var asked = answering(socket, json(204, ""));
        run("-H", "unix://" + socket, "start", "a?force=1 HTTP/1.1\r\nX: y");
        assertEquals("POST /v1.41/containers/a%3Fforce%3D1%20HTTP/1.1%0D%0AX:%20y/start HTTP/1.1", asked.getFirst());
    }

    @Test void anErrorInTheMiddleOfAPullEndsIt() throws IOException {
        var socket = folder.resolve("s");
        answering(socket, chunked("{\"status\":\"Pulling\",\"id\":\"x\"}\r\n", "{\"errorDetail\":{\"message\":\"broken\"},\"error\":\"broken\"}"));
        assertEquals(new Printed(1, "x: Pulling\n", "broken\n"), run("-H", "unix://" + socket, "pull", "host:5000/x:1"));
    }

    @Test void mistakesAreToldInDockersWords() {
        assertEquals(new Printed(125, "", "unknown flag: --nonsense\nSee 'balena-engine run --help'.\n"), run("run", "--nonsense=1", "x"));
        assertTrue(run("rmi").err.startsWith("\"balena-engine rmi\" requires at least 1 argument.\nSee 'balena-engine rmi --help'.\n"));
        assertEquals(1, run("rmi").status);
        assertEquals("balena-engine: 'nonsense' is not a balena-engine command.\nSee 'balena-engine --help'\n", run("nonsense").err);
        assertEquals("Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?\n",
                run("-H", "unix:///nowhere", "ps").err);
    }

    @Test void everyCommandHasHelp() {
        var listed = run("--help").out.lines().filter(l -> l.matches("  [a-z]+ +[A-Z].*")).map(l -> l.strip().split(" ")[0]).toList();
        assertTrue(listed.size() >= 26, listed::toString);
        for (var command : listed) {
            var help = run(command, "--help");
            assertEquals(0, help.status, command);
            assertTrue(help.out.contains("Usage:"), command);
        }
    }
}
