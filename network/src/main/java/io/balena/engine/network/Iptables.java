package io.balena.engine.network;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// The machine's own `iptables-restore` and `iptables-save`, or those of IPv6: whether they speak to nf_tables or to the older tables is the
/// machine's choice, and every firewall on it should make the same.
final class Iptables {
    /// Of processes that change the firewall at present, and of those before.
    private static final Deque<Integer> OWN = new ArrayDeque<>();
    private static final int MOST_OWN = 64;

    private final Path restore;
    private final Path save;

    Iptables(Path restore, Path save) {
        this.restore = restore;
        this.save = save;
    }

    /// Looks in `PATH` and where Debian and Yocto put them, which a service's `PATH` may lack.
    static Optional<Iptables> find(boolean v6) {
        String name = v6 ? "ip6tables" : "iptables";
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.concat(Arrays.stream(path.split(":")), Stream.of("/usr/sbin", "/sbin"))
                .filter(directory -> !directory.isEmpty())
                .map(Path::of)
                .map(directory -> new Iptables(directory.resolve(name + "-restore"), directory.resolve(name + "-save")))
                .filter(found -> Files.isExecutable(found.restore) && Files.isExecutable(found.save))
                .findFirst();
    }

    Ruleset read() throws IOException {
        return Ruleset.parse(run(List.of(save.toString()), "").lines().toList());
    }

    /// @throws IOException with iptables' words when a line does not apply; then nothing of its table was applied
    void apply(FirewallBatch batch) throws IOException {
        // Another program may hold the lock of the older tables for a moment.
        run(List.of(restore.toString(), "--wait=10", "--noflush"), batch.toString());
    }

    /// Whether a process is, or was a moment ago, one that changes the firewall for us.
    static boolean isOurs(int pid) {
        synchronized (OWN) {
            return OWN.contains(pid);
        }
    }

    private static void remember(int pid) {
        synchronized (OWN) {
            if (OWN.size() == MOST_OWN) OWN.removeFirst();
            OWN.addLast(pid);
        }
    }

    private static String run(List<String> command, String input) throws IOException {
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C");
        var process = builder.start();
        // Before it has read what it is to do.
        remember((int) process.pid());
        try {
            try (var in = process.getOutputStream()) {
                in.write(input.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // It ended before it had read everything; its own words below say why.
            }
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            // Not to be interrupted: half a change helps nobody, and its end is near.
            int status = process.onExit().join().exitValue();
            if (status != 0) throw new IOException(command.getFirst() + ": " + output.strip() + " (exit status " + status + ")");
            return output;
        } finally {
            process.destroyForcibly();
        }
    }
}
