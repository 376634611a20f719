package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The running daemon and requests nobody would send. The long one takes `-Dfuzz.minutes`, 10 unless said otherwise; `-Dfuzz.seed` repeats one.
class HttpFuzzIT {
    /// In the words of an answer that nobody thought of: the engine's own for a bug, or names of Java's.
    private static final Pattern UNTHOUGHT_OF = Pattern.compile("internal error|java\\.|Exception|io\\.balena|io\\.netty|jackson");

    @Test
    @Timeout(180)
    void oddRequestsAreAnsweredAndLeaveNothing() throws Exception {
        fuzz(Duration.ofSeconds(5));
    }

    @Test
    @Tag("long")
    void oddRequestsAreAnsweredAndLeaveNothingForLong() throws Exception {
        fuzz(Duration.ofMinutes(Integer.getInteger("fuzz.minutes", 10)));
    }

    private static void fuzz(Duration length) throws Exception {
        long seed = Long.getLong("fuzz.seed", System.nanoTime());
        System.out.println("HttpFuzzIT: -Dfuzz.seed=" + seed);
        try (Engine engine = Engine.start("--bridge", "none", "--iptables=false")) {
            BusyboxImage.importInto(engine);
            var fuzz = new HttpFuzz(seed);
            var unexpected = new TreeSet<String>();
            for (int i = 0; i < 300; i++) send(engine, fuzz, unexpected); // what is loaded once
            tidy(engine);
            String log = Files.readString(engine.log());
            long descriptors = entries(engine, "fd");
            long threads = entries(engine, "task");
            int requests = 0;
            for (Instant end = Instant.now().plus(length); Instant.now().isBefore(end); requests++) send(engine, fuzz, unexpected);
            assertTrue(requests > 0);
            assertEquals(Set.of(), unexpected, "seed " + seed);
            assertEquals("", traces(Files.readString(engine.log()).substring(log.length())), "seed " + seed);
            tidy(engine);
            assertTrue(Engine.become(Duration.ofSeconds(60), () -> entries(engine, "fd") <= descriptors + 10), () -> "descriptors: " + entries(engine, "fd") + " after " + descriptors);
            assertTrue(Engine.become(Duration.ofSeconds(60), () -> entries(engine, "task") <= threads + 10), () -> "threads: " + entries(engine, "task") + " after " + threads);
            System.out.println("HttpFuzzIT: " + requests + " requests");
        }
    }

    private static void send(Engine engine, HttpFuzz fuzz, Set<String> unexpected) {
        byte[] request = fuzz.next();
        try {
            String answer = HttpFuzz.ask(engine.socket(), request);
            if (answer.startsWith("HTTP/1.1 500") || answer.startsWith("HTTP/1.0 500")) {
                String message = answer.substring(answer.indexOf("\r\n\r\n") + 4).strip();
                if (UNTHOUGHT_OF.matcher(message).find()) unexpected.add(message + " <- " + new String(request, java.nio.charset.StandardCharsets.ISO_8859_1));
            }
        } catch (IOException e) {
            // hung up on, as it may be
        }
    }

    private static void tidy(Engine engine) {
        Command.of("sh", "-c", "docker -H unix://" + engine.socket() + " ps -aq | xargs -r docker -H unix://" + engine.socket() + " rm -f").run();
    }

    private static String traces(String log) {
        return log.lines().filter(line -> line.contains(" stack=") || line.startsWith("\tat ") || line.contains("Exception in thread")).limit(5)
                .reduce("", (a, b) -> a + b + "\n");
    }

    private static long entries(Engine engine, String folder) {
        String[] all = java.nio.file.Path.of("/proc/" + engine.daemon().pid(), folder).toFile().list();
        return all == null ? 0 : all.length;
    }
}
