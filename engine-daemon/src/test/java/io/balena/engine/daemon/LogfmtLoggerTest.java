package io.balena.engine.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.System.Logger.Level;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;

class LogfmtLoggerTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final LogfmtLogger logger = new LogfmtLogger(
            "test", Level.ALL, new PrintStream(out, true, UTF_8), Clock.fixed(Instant.parse("2026-11-22T10:00:00.000000012Z"), ZoneOffset.UTC));

    @Test
    void linesLookAsMobyWritesThem() {
        logger.log(Level.INFO, "API listen on /run/x.sock");
        assertEquals("time=\"2026-11-22T10:00:00.000000012Z\" level=info msg=\"API listen on /run/x.sock\"\n", out.toString(UTF_8));
    }

    @Test
    void whatClientsSendCannotForgeLines() {
        logger.log(Level.WARNING, "a\nlevel=info \"b\" \u001b[2J");
        assertEquals("time=\"2026-11-22T10:00:00.000000012Z\" level=warning msg=\"a\\nlevel=info \\\"b\\\" \\x1b[2J\"\n", out.toString(UTF_8));
    }

    @Test
    void anExceptionIsAFieldOfItsOwn() {
        logger.log(Level.ERROR, "failed", new IOException("disk full"));
        assertEquals("time=\"2026-11-22T10:00:00.000000012Z\" level=error msg=failed error=\"java.io.IOException: disk full\"\n", out.toString(UTF_8));
    }

    @Test
    void thePlatformHandsItOut() {
        assertInstanceOf(LogfmtLogger.class, System.getLogger("io.balena.engine.test"));
    }
}
