package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StartUpIT {
    @TempDir
    Path root;

    /// An HTTP client with TLS is megabytes that most engines never use between two restarts.
    @Test
    void openingLoadsNoHttpClient() throws Exception {
        Engine.open(root).close();
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(), "--enable-native-access=ALL-UNNAMED",
                        "-XX:TieredStopAtLevel=1", "-Xlog:class+load", "-cp", System.getProperty("java.class.path"), Child.class.getName(), root.toString())
                .redirectErrorStream(true)
                .start();
        String log = new String(child.getInputStream().readAllBytes(), UTF_8);
        assertEquals(0, child.waitFor(), log);
        assertTrue(log.contains(ImagePuller.class.getName()));
        assertFalse(log.lines().anyMatch(line -> line.contains("java.net.http") || line.contains("javax.net.ssl.SSLContext") || line.contains("zstd")));
    }

    static final class Child {
        public static void main(String[] arguments) throws IOException {
            Engine.open(Path.of(arguments[0])).images.list();
        }
    }
}
