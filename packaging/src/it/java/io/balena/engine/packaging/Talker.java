package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// A container that never stops counting aloud, and says where it got to when it is asked to end.
record Talker(DockerCli docker, String id, String pid, boolean terminal) {
    private static final String PROGRAM = "trap 'echo end $i; exit 0' TERM; i=0; while :; do echo $i; i=$((i+1)); [ $((i % 20)) != 0 ] || sleep 0.01; done";

    static Talker start(DockerCli docker, boolean terminal) {
        String id = docker.run("run", "-d", terminal ? "-t" : "-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", PROGRAM).succeeded();
        return new Talker(docker, id, docker.run("inspect", "-f", "{{.State.Pid}}", id).succeeded(), terminal);
    }

    void assertAlive() {
        assertEquals("true " + pid, docker.run("inspect", "-f", "{{.State.Running}} {{.State.Pid}}", id).succeeded());
    }

    /// Ends it, and looks through what was logged.
    ///
    /// @param repeatable how many numbers may be there twice in a row
    /// @param lost how many may be missing
    void assertLogged(int repeatable, int lost) {
        docker.run("stop", "-t", "60", id).succeeded();
        int expected = 0;
        int repeated = 0;
        int missing = 0;
        boolean ended = false;
        for (String line : docker.run("logs", id).succeeded().split("\r?\n")) {
            if (line.startsWith("end ")) {
                assertTrue(Integer.parseInt(line.substring(4)) - expected <= 1, line + " after " + expected);
                ended = true;
                continue;
            }
            if (!line.matches("\\d+")) continue;
            int number = Integer.parseInt(line);
            if (number < expected) repeated += expected - number;
            else missing += number - expected;
            expected = number + 1;
        }
        assertTrue(ended, "the last line is missing");
        assertTrue(missing <= lost, missing + " of " + expected + " lines are missing");
        assertTrue(repeated <= repeatable, repeated + " of " + expected + " lines are repeated");
    }
}
