package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// An engine that is killed at any moment while it makes networks and connects containers leaves nothing that the next one does not
/// clear away.
@ExtendWith(OwnMachine.class)
class NetworkKillIT {
    @TempDir
    Path folder;

    private static final Random RANDOM = new Random();

    @Test
    void whatAKilledEngineLeftIsClearedAway() throws Exception {
        kill(6);
    }

    @Test
    @Tag("long")
    void whatAKilledEngineLeftIsClearedAwayTwoHundredTimes() throws Exception {
        kill(Integer.getInteger("faults", 200));
    }

    private void kill(int times) throws Exception {
        try (var engine = OwnEngine.open(folder)) {
            // The chains that all networks share stay when the last one goes.
            engine.networks().remove(engine.create("first", "10.1.0.0/24", "fd00:1::/64").id());
        }
        String links = links();
        String rules = rules("iptables-save");
        String rules6 = rules("ip6tables-save");
        try (var one = Host.start(); var two = Host.start()) {
            for (int i = 0; i < times; i++) {
                long after = killOne(one, two);
                try (var engine = OwnEngine.open(folder)) {
                    // As the daemon does with containers that do not run.
                    for (NetworkRecord network : engine.networks().all()) {
                        for (Endpoint endpoint : engine.networks().endpoints(network.id())) engine.sandboxes().leave(endpoint.containerId());
                    }
                    for (NetworkRecord network : engine.networks().all()) if (!network.predefined()) engine.networks().remove(network.id());
                    engine.networks().remove(engine.create("again", "10.1.0.0/24", "fd00:1::/64").id());
                }
                String when = "killed after " + after + " µs of its work";
                assertEquals(links, links(), when);
                assertEquals(rules, rules("iptables-save"), when);
                assertEquals(rules6, rules("ip6tables-save"), when);
                assertEquals(List.of(), files(), when);
                for (Host host : List.of(one, two)) assertEquals("lo", host.run("sh", "-c", "ip -o link | sed -E 's/^[0-9]+: ([^:@]*).*/\\1/'").strip(), when);
            }
        }
    }

    private long killOne(Host one, Host two) throws Exception {
        var command = List.of(ProcessHandle.current().info().command().orElseThrow(), "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), KilledEngine.class.getName(), folder.toString(), "" + one.pid(), "" + two.pid());
        var process = new ProcessBuilder(command).redirectError(folder.resolveSibling(folder.getFileName() + ".err").toFile()).start();
        try {
            var output = new BufferedReader(process.inputReader());
            assertEquals("ready", output.readLine(), () -> read(folder.resolveSibling(folder.getFileName() + ".err")));
            long micros = RANDOM.nextLong(800_000);
            LockSupport.parkNanos(Duration.ofNanos(1000 * micros).toNanos());
            assertTrue(process.isAlive(), () -> read(folder.resolveSibling(folder.getFileName() + ".err")));
            return micros;
        } finally {
            process.destroyForcibly().waitFor();
            awaitChildren();
        }
    }

    /// What it had started, such as `iptables-restore`, goes on to its end.
    private static void awaitChildren() throws IOException {
        Shell.run("sh", "-c", "while pgrep -x 'ip6?tables-.*' --ns $$ --nslist net >/dev/null; do sleep 0.02; done");
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static String links() throws IOException {
        return Shell.run("sh", "-c", "ip -o link | sed -E 's/^[0-9]+: ([^:@]*).*/\\1/' | sort");
    }

    private static String rules(String program) throws IOException {
        return Shell.run(program).replaceAll("(?m)^#.*\n", "").replaceAll("\\[\\d+:\\d+]", "").replace(" \n", "\n");
    }

    private List<String> files() throws IOException {
        var files = new ArrayList<String>();
        try (var all = Files.walk(folder)) {
            all.filter(Files::isRegularFile).map(folder::relativize).map(Path::toString).forEach(files::add);
        }
        return files;
    }
}
