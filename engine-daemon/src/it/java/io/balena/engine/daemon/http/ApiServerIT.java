package io.balena.engine.daemon.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The server on real sockets.
@Timeout(60)
class ApiServerIT {
    enum Transport { UNIX, TCP }

    @TempDir
    private Path folder;

    private final AtomicLong written = new AtomicLong();
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch interrupted = new CountDownLatch(1);
    private ApiServer server;

    private final List<Route> routes = List.of(
            Route.get("/_ping", _ -> new Response.Text(200, "text/plain", "OK")),
            Route.get("/endless", _ -> new Response.Stream(200, "text/plain", out -> {
                byte[] block = new byte[16 * 1024];
                while (true) {
                    out.write(block);
                    written.addAndGet(block.length);
                }
            })),
            Route.get("/silent", _ -> new Response.Stream(200, "text/plain", out -> {
                out.flush();
                waitForInterrupt();
            })),
            Route.post("/deaf-attach", _ -> new Response.Hijack("application/vnd.docker.raw-stream", (_, _) -> waitForInterrupt())),
            Route.post("/cat", _ -> new Response.Hijack("application/vnd.docker.raw-stream", InputStream::transferTo)),
            Route.post("/after-eof", _ -> new Response.Hijack("application/vnd.docker.raw-stream", (in, out) -> {
                long bytes = in.transferTo(OutputStream.nullOutputStream());
                for (int i = 0; i < 200; i++) out.write(new byte[100_000]);
                out.write(("got " + bytes).getBytes(UTF_8));
            })),
            Route.post("/fails-at-last", _ -> new Response.Hijack("application/vnd.docker.raw-stream", (_, out) -> {
                out.write(new byte[250_000]); // what a socket holds, and some more
                begun.countDown();
                throw new IOException("out of breath");
            })),
            Route.post("/slow-body", request -> {
                begun.countDown();
                interrupted.await();
                return new Response.Text(200, "text/plain", "" + request.body().transferTo(OutputStream.nullOutputStream()));
            }),
            Route.post("/body", request -> {
                begun.countDown();
                try {
                    return new Response.Text(200, "text/plain", "" + request.body().transferTo(OutputStream.nullOutputStream()));
                } catch (IOException e) {
                    interrupted.countDown();
                    throw e;
                }
            }));

    private final Semaphore lulls = new Semaphore(0);

    private void waitForInterrupt() {
        begun.countDown();
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            interrupted.countDown();
        }
    }

    @BeforeEach
    void start() throws IOException {
        List<Listener> listeners = List.of(new Listener.Unix(folder.resolve("api.sock"), Optional.empty()), new Listener.Tcp("127.0.0.1", 0, Optional.empty()));
        server = ApiServer.bind(listeners, routes, new ApiIdentity("0.1.0", false, ""), lulls::release);
    }

    @Test
    void itIsKnownWhenNobodyHasAskedForAWhile() throws Exception {
        lulls.acquire(); // after the start
        try (SocketChannel client = connect(Transport.UNIX)) {
            send(client, "GET /_ping HTTP/1.0\r\n\r\n");
            readAll(client);
        }
        lulls.acquire();
        assertEquals(0, lulls.availablePermits(), "once each time");
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        assertFalse(Files.exists(folder.resolve("api.sock")));
    }

    private SocketChannel connect(Transport transport) throws IOException {
        if (transport == Transport.UNIX) return connect(StandardProtocolFamily.UNIX, UnixDomainSocketAddress.of(folder.resolve("api.sock")));
        String address = server.addresses().get(1);
        return connect(StandardProtocolFamily.INET, new InetSocketAddress("127.0.0.1", Integer.parseInt(address.substring(address.indexOf(':') + 1))));
    }

    private static SocketChannel connect(StandardProtocolFamily family, SocketAddress address) throws IOException {
        SocketChannel client = SocketChannel.open(family);
        client.connect(address);
        return client;
    }

    private static void send(SocketChannel client, String text) throws IOException {
        for (ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(UTF_8)); bytes.hasRemaining(); ) client.write(bytes);
    }

    private static byte[] readAll(SocketChannel client) throws IOException {
        var all = new ByteArrayOutputStream();
        Channels.newInputStream(client).transferTo(all);
        return all.toByteArray();
    }

    private static String readUntil(SocketChannel client, String end) throws IOException {
        var text = new StringBuilder();
        var one = ByteBuffer.allocate(1);
        while (text.indexOf(end) < 0 && client.read(one.clear()) > 0) text.append((char) one.get(0));
        return text.toString();
    }

    private static String hijack(String path, String more) {
        return "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + more;
    }

    @Test
    void onlyOwnerAndGroupMayUseTheSocket() throws IOException {
        assertEquals("rw-rw----", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("api.sock"))));
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatClosesItsSendingSideStillGetsAllItsAnswers(Transport transport) throws IOException {
        try (var client = connect(transport)) {
            send(client, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50));
            client.shutdownOutput();
            assertEquals(50, new String(readAll(client), UTF_8).split("HTTP/1.1 200 OK", -1).length - 1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void anAttachedConnectionCarriesBytesBothWaysUntouched(Transport transport) throws Exception {
        byte[] data = new byte[20_000_000];
        new java.util.Random(1).nextBytes(data);
        try (var client = connect(transport)) {
            // What follows the request at once belongs to the stream already.
            send(client, hijack("/cat", "early"));
            assertTrue(readUntil(client, "\r\n\r\n").startsWith("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"));
            assertEquals("early", readUntil(client, "early"));
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    for (var bytes = ByteBuffer.wrap(data); bytes.hasRemaining(); ) client.write(bytes);
                    client.shutdownOutput();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            });
            assertArrayEquals(data, readAll(client));
            writer.join();
        }
    }

    @ParameterizedTest
    @EnumSource
    void outputGoesOnAfterInputHasEndedEvenWhenItIsMoreThanASocketHolds(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, "POST /after-eof HTTP/1.1\r\nHost: x\r\n\r\n12345");
            client.shutdownOutput();
            String answer = new String(readAll(client), UTF_8);
            assertTrue(answer.startsWith("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"));
            assertTrue(answer.endsWith("got 5"));
            assertTrue(answer.length() > 20_000_000);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatWasSentBeforeAFaultReachesTheClient(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, hijack("/fails-at-last", ""));
            begun.await();
            readUntil(client, "\r\n\r\n");
            assertEquals(250_000, readAll(client).length);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatDoesNotReadStopsTheWriterAndNotTheServer(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            client.setOption(StandardSocketOptions.SO_RCVBUF, 16 * 1024);
            send(client, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
            long before;
            do {
                before = written.get();
                TimeUnit.MILLISECONDS.sleep(200);
            } while (written.get() != before || before == 0);
            assertTrue(before < 12_000_000, before + " bytes on their way to nobody");
            try (var other = connect(transport)) {
                send(other, "GET /_ping HTTP/1.0\r\n\r\n");
                assertTrue(new String(readAll(other), UTF_8).endsWith("OK"));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBodyNobodyReadsIsNotTakenIn(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, "POST /slow-body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
            client.configureBlocking(false);
            var block = ByteBuffer.allocate(64 * 1024);
            begun.await();
            long sent = 0;
            for (int idle = 0; idle < 20; ) {
                int count = client.write(block.clear());
                sent += count;
                if (count == 0) {
                    idle++;
                    TimeUnit.MILLISECONDS.sleep(10);
                } else idle = 0;
            }
            assertTrue(sent < 12_000_000, sent + " bytes taken in");
            client.configureBlocking(true);
            interrupted.countDown();
            while (sent < 100_000_000) sent += client.write(block.clear().limit((int) Math.min(block.capacity(), 100_000_000 - sent)));
            assertTrue(readUntil(client, "\n100000000").endsWith("100000000"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aStreamEndsWhenItsClientLeaves(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
            assertTrue(readUntil(client, "\r\n\r\n").startsWith("HTTP/1.1 200 OK"));
        }
        assertTrue(interrupted.await(10, TimeUnit.SECONDS));
    }

    // Over TCP a closed sending side may be all there is to see; the next write tells.
    @Test
    void anAttachThatHasNothingToSayNoticesThatItsClientIsGone() throws Exception {
        try (var client = connect(Transport.UNIX)) {
            send(client, hijack("/deaf-attach", ""));
            begun.await();
            client.shutdownOutput();
            assertFalse(interrupted.await(300, TimeUnit.MILLISECONDS), "closing the sending side is not leaving");
        }
        assertTrue(interrupted.await(10, TimeUnit.SECONDS));
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatLeavesInTheMiddleOfItsBodyIsNoticedByTheReader(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
            begun.await();
        }
        assertTrue(interrupted.await(10, TimeUnit.SECONDS));
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatWaitsToBeAskedForItsBodyIsAsked(Transport transport) throws Exception {
        try (var client = connect(transport)) {
            send(client, "POST /body HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
            assertEquals("HTTP/1.1 100 Continue\r\n\r\n", readUntil(client, "\r\n\r\n"));
            send(client, "abc");
            assertTrue(readUntil(client, "\r\n\r\n3").endsWith("3"));
        }
    }

    @ParameterizedTest
    @EnumSource
    void garbageOnOneConnectionHarmsNoOther(Transport transport) throws Exception {
        var random = new java.util.Random(7);
        for (int i = 0; i < 200; i++) {
            byte[] garbage = new byte[random.nextInt(5000)];
            random.nextBytes(garbage);
            try (var client = connect(transport)) {
                client.write(ByteBuffer.wrap(garbage));
            } catch (IOException e) {
                // refused in the middle of it
            }
        }
        try (var client = connect(transport)) {
            send(client, "GET /_ping HTTP/1.0\r\n\r\n");
            assertTrue(new String(readAll(client), UTF_8).endsWith("OK"));
        }
    }

    @Test
    void aThousandConnectionsNeedNoThreads() throws Exception {
        List<SocketChannel> clients = new java.util.ArrayList<>();
        try {
            for (int i = 0; i < 1000; i++) clients.add(connect(Transport.UNIX));
            String[] threads = new java.io.File("/proc/self/task").list();
            for (SocketChannel client : clients) send(client, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
            for (SocketChannel client : clients) assertTrue(readUntil(client, "\r\n\r\nOK").endsWith("OK"));
            assertTrue(new java.io.File("/proc/self/task").list().length < threads.length + 8);
        } finally {
            for (SocketChannel client : clients) client.close();
        }
    }
}
