package io.balena.engine.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

/// How a command ended, and what it printed.
record Outcome(String command, int status, byte[] output, String err) {

    String out() {
        return new String(output, UTF_8);
    }

    /// @return standard output without its last newline
    String succeeded() {
        assertEquals(0, status, () -> this.toString());
        return out().stripTrailing();
    }

    Outcome endedWith(int expected) {
        assertEquals(expected, status, () -> this.toString());
        return this;
    }

    @Override public String toString() {
        return command + "\nstatus " + status + "\nout: " + shortened(out()) + "\nerr: " + shortened(err);
    }

    private static String shortened(String text) {
        return text.length() < 3000 ? text : text.substring(0, 3000) + "…";
    }
}
