package io.balena.engine.daemon.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class RequestBodyTest {
    @Test
    void aBodyThatIsDueIsNotWaitedForLonger() {
        var body = new RequestBody(_ -> {});
        body.within(Duration.ofMillis(20));
        body.offer(Unpooled.wrappedBuffer(new byte[] {1, 2}));
        IOException late = assertThrows(IOException.class, body::readAllBytes);
        assertEquals("i/o timeout", late.getMessage());
        assertTrue(body.isBroken());
    }
}
