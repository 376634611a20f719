package io.balena.engine.runtime.client;

import static io.balena.engine.runtime.client.ShimFixture.bytes;
import static io.balena.engine.runtime.client.ShimFixture.readToTheEnd;
import static io.balena.engine.runtime.client.ShimFixture.readUntil;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.container.Bundle;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// What passes through the shim, between containers, clients and logs.
class ShimStreamsIT extends ShimTests {
    @Test
    void aHundredMegabytesThroughCatArriveIntact() throws Exception {
        String id = fixture.create(fixture.bundle().running("cat"), INTERACTIVE);
        byte[] block = new byte[1 << 20];
        new Random(3).nextBytes(block);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), true, true, true)) {
            shim.start(id);
            MessageDigest sent = MessageDigest.getInstance("SHA-256");
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < 100; i++) {
                        block[i] = (byte) i;
                        sent.update(block);
                        stream.write(ByteBuffer.wrap(block));
                    }
                    stream.closeStdin();
                } catch (IOException e) {
                    throw new RuntimeException(e);
                }
            });
            MessageDigest received = MessageDigest.getInstance("SHA-256");
            ByteBuffer header = ByteBuffer.allocate(8);
            ByteBuffer payload = ByteBuffer.allocate(64 << 10);
            long total = 0;
            while (fill(stream, header.clear())) {
                assertTrue(fill(stream, payload.clear().limit(header.getInt(4))));
                received.update(payload.flip());
                total += payload.limit();
            }
            writer.join();
            assertEquals(100L << 20, total);
            assertArrayEquals(sent.digest(), received.digest());
        }
        assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
    }

    @Test
    void aTerminalHasItsSizeAndHearsWhatIsTyped() throws Exception {
        Bundle bundle = fixture.bundle().script("tty; read x; stty size; echo got $x");
        bundle.terminal = true;
        String id = fixture.create(bundle, INTERACTIVE);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), true, true, true)) {
            shim.start(id);
            readUntil(stream, "/dev/");
            shim.resize(ProcessKey.container(id), 40, 123);
            stream.write(bytes("typed\n"));
            String output = readToTheEnd(stream, true);
            assertTrue(output.contains("40 123\r\n"), output);
            assertTrue(output.contains("got typed\r\n"), output);
        }
        assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
    }

    @Test
    void aFullDiskStopsTheLogAndNothingElse() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Bundle bundle = fixture.bundle().script(
                "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; cat /fifo; echo the end");
        assertEquals(0, new ProcessBuilder("mkfifo", bundle.rootfs.resolve("fifo").toString()).start().waitFor());
        assertEquals(0, new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk.toString()).start().waitFor());
        try {
            Path log = disk.resolve("log");
            Path ballast = Files.write(disk.resolve("ballast"), new byte[20_000]);
            String id = fixture.create(bundle, new Stdio(false, false, Optional.of(Stdio.Log.jsonFile(log))));
            Path fifo = bundle.rootfs.resolve("fifo");
            try (AttachedStream stream = shim.attach(ProcessKey.container(id), false, true, true)) {
                shim.start(id);
                // A client is sent what was logged, or dropped; half a line would be cut off by then.
                readUntil(stream, "line 3999\n");
                for (String line : Files.readAllLines(log)) new ObjectMapper().readTree(line);
                Files.delete(ballast);
                Files.writeString(fifo, "");
                readUntil(stream, "the end");
            }
            assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
            List<String> lines = Files.readAllLines(log);
            assertTrue(lines.size() < 1000, lines.size() + " lines");
            assertTrue(lines.getLast().contains("the end"), lines.getLast());
            for (String line : lines) new ObjectMapper().readTree(line);
            String said = Files.readString(fixture.execRoot.resolve("shim.log"));
            assertEquals(1, said.split("output is dropped", -1).length - 1, said);
        } finally {
            new ProcessBuilder("umount", "-l", disk.toString()).start().waitFor();
        }
    }

    private static boolean fill(AttachedStream stream, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (stream.read(buffer) < 0) return false;
        }
        return true;
    }
}
