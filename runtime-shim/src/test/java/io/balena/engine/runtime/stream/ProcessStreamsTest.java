package io.balena.engine.runtime.stream;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.Pipe;
import io.balena.engine.linux.UnixListener;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.client.AttachedStream;
import io.balena.engine.runtime.client.ShimAttachedStream;
import io.balena.engine.runtime.log.LogSink;
import io.balena.engine.runtime.log.Logs;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.Workers;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The shim's streams with ordinary processes in the place of containers.
@Timeout(30)
class ProcessStreamsTest {
    @TempDir Path folder;
    private EventLoop loop;
    private ShimBuffers buffers;
    private ProcessStreams streams;
    private UnixListener listener;
    private Process process;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch ended = new CountDownLatch(1);

    @BeforeEach
    void startTheLoop() throws IOException {
        loop = new EventLoop(new Diagnostics(System.err));
        buffers = ShimBuffers.allocate();
        streams = new ProcessStreams(buffers, loop);
        listener = UnixListener.bind(folder.resolve("s"));
        EventLoop.Watch watch = loop.watch(listener.fd(), _ -> accept());
        watch.want(Epoll.READABLE);
        Thread.ofPlatform().daemon().start(() -> {
            try {
                loop.run();
            } catch (IOException e) {
                e.printStackTrace();
            }
        });
    }

    @AfterEach
    void endTheLoop() {
        if (process != null) process.destroyForcibly();
        threads.shutdownNow();
        loop.execute(loop::end);
    }

    @Test
    void stdoutAndStderrStayApartAndInOrder() throws Exception {
        AttachedStream client = attach(false, true, true);
        run("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done", false, false);
        Map<Integer, ByteArrayOutputStream> output = readFramesToTheEnd(client);
        assertEquals("out 1\nout 2\nout 3\nout 4\nout 5\n", output.get(1).toString(UTF_8));
        assertEquals("err 1\nerr 2\nerr 3\nerr 4\nerr 5\n", output.get(2).toString(UTF_8));
    }

    @Test
    void aClientGetsOnlyTheStreamsItAskedFor() throws Exception {
        AttachedStream client = attach(false, false, true);
        run("echo out; echo err >&2", false, false);
        Map<Integer, ByteArrayOutputStream> output = readFramesToTheEnd(client);
        assertEquals("err\n", output.get(2).toString(UTF_8));
        assertEquals(1, output.size());
    }

    @Test
    void aHundredMegabytesThroughCatArriveIntact() throws Exception {
        AttachedStream client = attach(true, true, true);
        run("exec cat", true, true);
        byte[] block = new byte[1 << 20];
        new Random(7).nextBytes(block);
        MessageDigest sent = MessageDigest.getInstance("SHA-256");
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            try {
                for (int i = 0; i < 100; i++) {
                    block[i] = (byte) i;
                    sent.update(block);
                    client.write(ByteBuffer.wrap(block));
                }
                client.closeStdin();
            } catch (IOException e) {
                throw new RuntimeException(e);
            }
        }, threads);
        MessageDigest received = MessageDigest.getInstance("SHA-256");
        long length = readFrames(client, received);
        writer.get();
        assertEquals(100L << 20, length);
        assertArrayEquals(sent.digest(), received.digest());
    }

    @Test
    void everyAttachedClientGetsEverything() throws Exception {
        AttachedStream one = attach(false, true, true);
        AttachedStream two = attach(false, true, true);
        run("head -c 3000000 /dev/zero", false, false);
        CompletableFuture<Long> first = CompletableFuture.supplyAsync(() -> count(one), threads);
        assertEquals(3_000_000, count(two));
        assertEquals(3_000_000, first.get());
    }

    @Test
    void aClientThatReadsNothingHoldsTheProcessUpAndOneThatLeavesDoesNot() throws Exception {
        AttachedStream slow = attach(false, true, true);
        run("head -c 20000000 /dev/zero", false, false);
        AttachedStream reader = attach(false, true, true);
        CompletableFuture<Long> counting = CompletableFuture.supplyAsync(() -> count(reader), threads);
        assertTrue(!process.waitFor(300, TimeUnit.MILLISECONDS), "held up by the client that does not read");
        slow.close();
        assertTrue(process.waitFor(10, TimeUnit.SECONDS), "goes on when that one has left");
        assertTrue(counting.get() > 10_000_000);
    }

    @Test
    void theExitIsNotHeldUpByAClientThatReadsNothingAndItsOutputIsKeptForIt() throws Exception {
        AttachedStream slow = attach(false, true, true);
        run("head -c 280000 /dev/zero", false, false);
        assertTrue(ended.await(10, TimeUnit.SECONDS));
        assertEquals(280_000, count(slow));
    }

    @Test
    void aDetachedProcessIsNotHeldUpAndItsOutputIsLogged() throws Exception {
        run("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", false, false);
        assertTrue(ended.await(20, TimeUnit.SECONDS));
        assertEquals(20_000, Files.readAllLines(folder.resolve("log")).size());
    }

    @Test
    void stdinIsClosedWhenTheFirstClientLeavesIfTheProcessWantsThatOnce() throws Exception {
        AttachedStream listening = attach(false, true, true);
        AttachedStream typing = attach(true, false, false);
        run("cat; echo over", true, true);
        typing.write(ByteBuffer.wrap("typed ".getBytes(UTF_8)));
        typing.close();
        assertEquals("typed over\n", readFramesToTheEnd(listening).get(1).toString(UTF_8));
    }

    @Test
    void stdinStaysOpenForTheNextClientOtherwise() throws Exception {
        AttachedStream listening = attach(false, true, true);
        AttachedStream first = attach(true, false, false);
        run("read a; read b; echo $a $b", true, false);
        first.write(ByteBuffer.wrap("one\n".getBytes(UTF_8)));
        first.closeStdin();
        first.close();
        AttachedStream second = attach(true, false, false);
        second.write(ByteBuffer.wrap("two\n".getBytes(UTF_8)));
        assertEquals("one two\n", readFramesToTheEnd(listening).get(1).toString(UTF_8));
    }

    @Test
    void inputThatWasSentBeforeTheClientLeftReachesAProcessThatReadsLate() throws Exception {
        AttachedStream listening = attach(false, true, true);
        AttachedStream typing = attach(true, true, true);
        Path go = fifo();
        run("cat " + go + "; wc -c", true, true);
        typing.write(ByteBuffer.allocate(150_000));
        typing.close();
        Files.writeString(go, "");
        assertEquals("150000\n", readFramesToTheEnd(listening).get(1).toString(UTF_8));
    }

    @Test
    void bytesForAProcessThatHasClosedItsStdinVanish() throws Exception {
        AttachedStream client = attach(true, true, true);
        Path go = fifo();
        run("exec <&-; echo closed; cat " + go + "; echo done", true, true);
        client.write(ByteBuffer.allocate(1_000_000));
        Files.writeString(go, "");
        assertEquals("closed\ndone\n", readFramesToTheEnd(client).get(1).toString(UTF_8));
    }

    @Test
    void aGrandchildThatHoldsThePipeDelaysTheEndByTwoSecondsAtMost() throws Exception {
        AttachedStream client = attach(false, true, true);
        run("(sleep 1; echo late) & echo early", false, false);
        assertEquals("early\nlate\n", readFramesToTheEnd(client).get(1).toString(UTF_8));

        ended.await();
        streams = new ProcessStreams(buffers, loop);
        AttachedStream another = attach(false, true, true);
        long begun = System.nanoTime();
        run("sleep 20 & echo $!", false, false);
        String sleeper = readFramesToTheEnd(another).get(1).toString(UTF_8).strip();
        ProcessHandle.of(Long.parseLong(sleeper)).ifPresent(ProcessHandle::destroyForcibly);
        assertTrue(System.nanoTime() - begun < 5_000_000_000L);
    }

    @Test
    void aClientThatAnnouncesAnAbsurdPieceIsDropped() throws Exception {
        AttachedStream listening = attach(false, true, true);
        try (SocketChannel hostile = connect(true, true, true)) {
            run("read x; echo $x", true, false);
            hostile.write(ByteBuffer.wrap(new byte[] {-1, -1, -1, -1, 1, 2, 3}));
            assertEquals(-1, hostile.read(ByteBuffer.allocate(1)));
        }
        attach(true, false, false).write(ByteBuffer.wrap("fine\n".getBytes(UTF_8)));
        assertEquals("fine\n", readFramesToTheEnd(listening).get(1).toString(UTF_8));
    }

    private void run(String script, boolean stdin, boolean stdinOnce) throws Exception {
        Pipe in = Pipe.open();
        Pipe out = Pipe.open();
        Pipe err = Pipe.open();
        ProcessBuilder builder = new ProcessBuilder("sh", "-c", script)
                .redirectInput(file(in.readEnd()))
                .redirectOutput(file(out.writeEnd()))
                .redirectError(file(err.writeEnd()));
        process = builder.start();
        in.readEnd().close();
        out.writeEnd().close();
        err.writeEnd().close();
        in.writeEnd().setNonBlocking();
        out.readEnd().setNonBlocking();
        err.readEnd().setNonBlocking();
        if (!stdin) in.writeEnd().close();
        LogSink log = new Logs(buffers.outbound(), buffers.text(), loop, new Workers(loop), new Diagnostics(System.err))
                .open(Optional.of(Stdio.Log.jsonFile(folder.resolve("log")))).orElseThrow();
        onLoop(() -> streams.openPipes(
                stdin ? Optional.of(in.writeEnd()) : Optional.empty(), out.readEnd(), err.readEnd(), Optional.of(log), stdinOnce));
        ProcessStreams ending = streams;
        Process watched = process;
        threads.execute(() -> {
            try {
                watched.waitFor();
                loop.execute(() -> ending.processEnded(() -> {}, ended::countDown));
            } catch (InterruptedException e) {
                // the test is over
            }
        });
    }

    private Path fifo() throws Exception {
        Path fifo = folder.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        return fifo;
    }

    private static File file(Fd fd) {
        return new File("/proc/self/fd/" + fd.number());
    }

    private void onLoop(Runnable task) throws Exception {
        var done = new CompletableFuture<Void>();
        loop.execute(() -> {
            task.run();
            done.complete(null);
        });
        done.get();
    }

    // Which streams a client wants travels as one byte before everything else.
    private void accept() {
        try {
            Fd fd = listener.accept().orElseThrow();
            Connection connection = new Connection(fd, buffers, loop);
            connection.start((buffer, offset, length) -> {
                byte[] wants = new byte[1];
                buffer.get(offset, wants, 0, 1);
                var attachment = new Attachment(
                        connection, streams, (wants[0] & 1) != 0, (wants[0] & 2) != 0, (wants[0] & 4) != 0);
                connection.become(attachment);
                streams.attach(attachment);
                connection.send(new byte[] {0});
            });
        } catch (IOException e) {
            throw new RuntimeException(e);
        }
    }

    private AttachedStream attach(boolean stdin, boolean stdout, boolean stderr) throws IOException {
        return new ShimAttachedStream(connect(stdin, stdout, stderr));
    }

    private SocketChannel connect(boolean stdin, boolean stdout, boolean stderr) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("s")));
        channel.write(ByteBuffer.wrap(new byte[] {(byte) ((stdin ? 1 : 0) | (stdout ? 2 : 0) | (stderr ? 4 : 0))}));
        channel.read(ByteBuffer.allocate(1));
        return channel;
    }

    private static long count(AttachedStream client) {
        try {
            return readFrames(client, null);
        } catch (IOException e) {
            throw new RuntimeException(e);
        }
    }

    private static long readFrames(AttachedStream client, MessageDigest digest) throws IOException {
        ByteBuffer header = ByteBuffer.allocate(8);
        ByteBuffer payload = ByteBuffer.allocate(1 << 20);
        long total = 0;
        while (fill(client, header.clear())) {
            payload.clear().limit(header.getInt(4));
            assertTrue(fill(client, payload));
            if (digest != null) digest.update(payload.flip());
            total += payload.limit();
        }
        return total;
    }

    private static Map<Integer, ByteArrayOutputStream> readFramesToTheEnd(AttachedStream client) throws IOException {
        Map<Integer, ByteArrayOutputStream> output = new HashMap<>();
        ByteBuffer header = ByteBuffer.allocate(8);
        while (fill(client, header.clear())) {
            ByteBuffer payload = ByteBuffer.allocate(header.getInt(4));
            assertTrue(fill(client, payload));
            output.computeIfAbsent((int) header.get(0), _ -> new ByteArrayOutputStream()).writeBytes(payload.array());
        }
        return output;
    }

    private static boolean fill(AttachedStream client, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (client.read(buffer) < 0) return false;
        }
        return true;
    }
}
