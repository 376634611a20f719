package io.balena.engine.runtime.client;

import static io.balena.engine.runtime.client.ShimFixture.bytes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.Random;
import java.nio.file.Path;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The shim and clients that are newer than it, or no clients of its at all.
class ShimProtocolIT extends ShimTests {
    @Test
    void whatANewerDaemonAsksForIsAnsweredWithAnErrorAndTheNextRequestIsServed() throws Exception {
        shim.pid(); // starts it
        try (ShimLine line = ShimLine.open(fixture.execRoot.resolve("shim.sock"))) {
            var refused = assertThrows(ContainerFailure.class, () -> line.ask(Message.of(63).text(120, "of a field that nobody knows yet")));
            assertEquals("this shim does not know request 63", refused.getMessage());
            assertEquals(Protocol.DONE, line.ask(Message.of(Protocol.LIST).number(121, 5)).kind());
        }
    }

    @Test
    void whateverAClientSendsTheShimGoesOn() throws Exception {
        String id = fixture.create(fixture.bundle().running("sleep", "100"), NOTHING);
        shim.start(id);
        Random random = new Random(5);
        var address = UnixDomainSocketAddress.of(fixture.execRoot.resolve("shim.sock"));
        for (int i = 0; i < 300; i++) {
            try (SocketChannel channel = SocketChannel.open(address)) {
                if (i % 3 > 0) channel.write(ByteBuffer.wrap(Protocol.hello().encode()));
                byte[] garbage = new byte[1 + random.nextInt(200)];
                random.nextBytes(garbage);
                if (i % 3 == 2) {
                    // A request of a known kind, with garbage for fields.
                    byte[] request = Message.of(2 + random.nextInt(11)).bytes(random.nextInt(30), garbage).encode();
                    if (request[4] == Protocol.LEAVE_IF_IDLE) continue;
                    channel.write(ByteBuffer.wrap(request, 0, random.nextBoolean() ? request.length : request.length / 2));
                } else {
                    channel.write(ByteBuffer.wrap(garbage));
                }
            } catch (IOException e) {
                // It may well close the connection before everything was written.
            }
        }
        assertInstanceOf(ContainerState.Running.class, shim.list().get(id));
        assertEquals(1, shim.list().size());
    }

    @Test
    void thousandsOfRequestsAtOnceAreAnsweredOneByOne() throws Exception {
        shim.pid(); // starts it
        var requests = new java.io.ByteArrayOutputStream();
        requests.writeBytes(Protocol.hello().encode());
        for (int i = 0; i < 10_000; i++) requests.writeBytes(Message.of(Protocol.LIST).encode());
        int answerBytes = Message.of(Protocol.DONE).encode().length;
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(fixture.execRoot.resolve("shim.sock")))) {
            Thread.ofVirtual().start(() -> {
                try {
                    channel.write(ByteBuffer.wrap(requests.toByteArray()));
                } catch (IOException e) {
                    throw new RuntimeException(e);
                }
            });
            ByteBuffer answers = ByteBuffer.allocate(10_000 * answerBytes);
            while (answers.hasRemaining()) assertTrue(channel.read(answers) > 0);
        }
        assertEquals(Map.of(), shim.list());
    }

    @Test
    void ofAShimOfTheVersionBeforeIsAskedWhatItKnows(@TempDir Path otherRoot) throws Exception {
        shim.pid(); // starts it
        var heard = new LinkedBlockingQueue<ShimEvent>();
        try (var _ = new OlderShim(otherRoot.resolve("shim.sock"), fixture.execRoot.resolve("shim.sock"));
                Shim newer = Shim.connect(otherRoot, ShimFixture.command(), heard::add)) {
            String running = fixture.create(fixture.bundle().running("sleep", "1000"), NOTHING);
            newer.start(running);
            newer.remove(running);
            assertEquals(137, ShimFixture.awaitExit(ProcessKey.container(running), heard).code());
            String paused = fixture.create(fixture.bundle().running("sleep", "1000"), NOTHING);
            newer.start(paused);
            newer.pause(paused);
            newer.remove(paused);
            assertEquals(137, ShimFixture.awaitExit(ProcessKey.container(paused), heard).code());
            newer.remove("nobody");
            assertEquals(Map.of(), newer.list());
        }
    }
}
