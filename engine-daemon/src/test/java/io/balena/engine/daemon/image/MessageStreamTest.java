package io.balena.engine.daemon.image;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.distribution.DistributionException;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class MessageStreamTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    @Test
    void messagesAreLinesOfJsonAsDockersClientsReadThem() throws IOException {
        MessageStream.run(progress -> {
            progress.status("latest", "Pulling from library/busybox");
            progress.advance("Total", "", 500, 1000);
            progress.status("", "Digest: sha256:0");
        }, out);
        assertEquals("{\"status\":\"Pulling from library/busybox\",\"progressDetail\":{},\"id\":\"latest\"}\r\n"
                + "{\"progressDetail\":{\"current\":500,\"total\":1000},\"progress\":\"[=========================>                         ]     500B/1kB\",\"id\":\"Total\"}\r\n"
                + "{\"status\":\"Digest: sha256:0\"}\r\n", out.toString(UTF_8));
    }

    @Test
    void aPushedTagIsToldToPeopleAndToPrograms() throws IOException {
        Digest digest = Digest.of(new byte[0]);
        MessageStream.run(progress -> {
            progress.status("", "1: digest: " + digest + " size: 7");
            progress.pushed("1", digest, 7);
        }, out);
        assertEquals("{\"status\":\"1: digest: " + digest + " size: 7\"}\r\n"
                + "{\"progressDetail\":{},\"aux\":{\"Tag\":\"1\",\"Digest\":\"" + digest + "\",\"Size\":7}}\r\n", out.toString(UTF_8));
    }

    @Test
    void aFailureBeforeTheFirstMessageIsThrown() {
        assertThrows(DistributionException.NotInRegistry.class, () -> MessageStream.run(_ -> {
            throw new DistributionException.NotInRegistry("manifest unknown");
        }, out));
        assertEquals(0, out.size());
    }

    @Test
    void aFailureAfterItIsTheLastMessage() throws IOException {
        MessageStream.run(progress -> {
            progress.status("a", "Extracting");
            throw new DistributionException.InvalidContent("wrong digest", null);
        }, out);
        assertTrue(out.toString(UTF_8).endsWith("{\"errorDetail\":{\"message\":\"wrong digest\"},\"error\":\"wrong digest\"}\r\n"), out.toString(UTF_8));
    }

    @Test
    void aSlowClientGetsTheLatestOfEachBarAndCostsNoMemory() throws IOException {
        MessageStream.run(progress -> {
            for (int i = 0; i <= 100_000; i++) {
                progress.advance("a", "Extracting", i, 100_000);
                progress.status("b", "Retrying in " + i + " seconds");
            }
        }, out);
        assertTrue(out.toString(UTF_8).lines().count() < 50, () -> out.toString(UTF_8).lines().count() + " lines");
        assertTrue(out.toString(UTF_8).contains("\"current\":100000"));
    }

    @Test
    void whenTheClientLeavesTheOperationIsInterruptedAndHasEnded() throws InterruptedException {
        var ended = new CountDownLatch(1);
        OutputStream gone = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("the client has left");
            }
        };
        assertThrows(IOException.class, () -> MessageStream.run(progress -> {
            progress.status("a", "Waiting");
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                ended.countDown();
                throw new InterruptedIOException();
            }
        }, gone));
        assertEquals(0, ended.getCount());
    }

    @Test
    void sizesHaveFourDigits() {
        assertEquals("0B", JsonMessage.humanSize(0));
        assertEquals("999B", JsonMessage.humanSize(999));
        assertEquals("1.234kB", JsonMessage.humanSize(1234));
        assertEquals("12.35MB", JsonMessage.humanSize(12_345_678));
    }
}
