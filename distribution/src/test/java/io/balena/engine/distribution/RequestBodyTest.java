package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RequestBodyTest {
    private static final byte[] BLOCK = TestImage.noise(64 * 1024, 5);

    /// As web servers in front of registries do it: they answer in the middle, take what is on its way for a while, and hang up.
    @Test
    void anAnswerThatComesBeforeTheEndIsHeard() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                HttpClient client = HttpClient.newHttpClient()) {
            Thread.ofPlatform().daemon().start(() -> answerInTheMiddle(server));
            try (RequestBody body = new RequestBody(RequestBodyTest::endless, 0, "content")) {
                URI target = URI.create("http://127.0.0.1:" + server.getLocalPort() + "/");
                HttpRequest request = HttpRequest.newBuilder(target).method("PATCH", body).build();
                HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
                assertEquals(413, response.statusCode());
                assertEquals("large", response.body());
            }
        }
    }

    private static void answerInTheMiddle(ServerSocket server) {
        try (Socket socket = server.accept()) {
            InputStream in = socket.getInputStream();
            in.readNBytes(1 << 20);
            OutputStream out = socket.getOutputStream();
            out.write("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge".getBytes());
            out.flush();
            socket.shutdownOutput();
            in.readNBytes(8 << 20);
        } catch (IOException e) {
            // The client will tell.
        }
    }

    private static void endless(OutputStream out) throws IOException {
        while (true) out.write(BLOCK);
    }
}
