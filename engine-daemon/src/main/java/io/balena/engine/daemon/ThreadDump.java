package io.balena.engine.daemon;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;

/// What all platform threads are doing, for whoever wonders why an engine does not answer: dockerd's dump of its goroutines.
final class ThreadDump {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private ThreadDump() {}

    /// @return the file that was written
    static Path write(Path folder) throws IOException {
        Path file = folder.resolve("thread-stacks-" + TIME.format(Instant.now()) + ".log");
        try (var out = new PrintWriter(Files.newBufferedWriter(file))) {
            for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
                out.println("\"" + thread.getKey().getName() + "\" " + thread.getKey().getState());
                for (StackTraceElement frame : thread.getValue()) out.println("\tat " + frame);
                out.println();
            }
        }
        return file;
    }
}
