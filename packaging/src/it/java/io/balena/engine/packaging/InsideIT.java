package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// What a process sees inside a container of ours, and of Debian's dockerd with runc: the same, or there is an [Explanation].
@ExtendWith(SharedSideBySide.class)
class InsideIT {
    private static final Path TABLE = Path.of("target/inside-differences.txt");

    /// Views of one container: that of its first process, and those of processes that are executed into it.
    ///
    /// @param probe arguments of `probe.py` in the first process
    private record Case(String name, List<String> options, String probe, Execs execs) {
        Case(String name, String... options) {
            this(name, List.of(options), "", Execs.FEW);
        }

        Case probing(String what, Execs with) {
            return new Case(name, options, what, with);
        }
    }

    private enum Execs {
        FEW("exec"),
        // Docker takes a while to remove the terminal of an exec that has ended, so that is the last.
        ALL("exec", "exec -u 1000:1000", "exec --privileged", "exec -w /tmp -e X=y", "exec -t");

        private final List<String> commands;

        Execs(String... commands) {
            this.commands = List.of(commands);
        }
    }

    private static List<Case> cases(Path volume) {
        return List.of(new Case("default").probing("deep calls", Execs.ALL),
                new Case("-u 1000:1000", "-u", "1000:1000").probing("", Execs.ALL),
                new Case("-it", "-it").probing("", Execs.ALL),
                new Case("--read-only -u web", "--read-only", "-u", "web"),
                new Case("--cap-add ALL", "--cap-add", "ALL").probing("calls", Execs.FEW),
                new Case("--cap-drop ALL, no-new-privileges", "--cap-drop", "ALL", "--security-opt", "no-new-privileges").probing("", Execs.ALL),
                new Case("seccomp=unconfined", "--security-opt", "seccomp=unconfined").probing("", Execs.ALL),
                new Case("--privileged", "--privileged").probing("deep", Execs.ALL),
                new Case("-u 1000 --privileged", "-u", "1000", "--privileged"),
                new Case("--net=host", "--net=host"),
                new Case("--pid=host --ipc=host", "--pid=host", "--ipc=host"),
                new Case("--uts=host --cgroupns=private", "--uts=host", "--cgroupns=private"),
                new Case("--cgroupns=host --privileged=false", "--cgroupns=host", "--privileged=false"),
                // Each at another depth: dockerd mounts those of one depth in the order of a hash table.
                new Case("mounts", "--tmpfs", "/tmp", "--tmpfs", "/a/place/of/its/own:size=1m,mode=700,exec", "-v", volume + ":/vol", "-v", volume + ":/in/ro:ro",
                        "-v", "named:/in/a/named", "-v", volume + ":/etc/much/deeper/still", "--device", "/dev/null:/dev/nothing:r", "--device", "/dev/zero"),
                new Case("names and numbers", "--oom-score-adj", "500", "--group-add", "extra", "--group-add", "77", "--hostname", "box",
                        "--domainname", "dom.ain", "--shm-size", "1m", "--add-host", "a:1.2.3.4", "--dns", "1.1.1.1", "-e", "A=b",
                        "--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=1000", "--ulimit", "nofile=100:200", "--ulimit", "core=0",
                        "-w", "/made/here", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cpu-shares", "300"));
    }

    @Test void aProcessSeesTheSameAsInDockersContainers() throws IOException {
        assumeFalse(Engine.PEER, "compares with dockerd itself");
        ProbeImage.assumePossible();
        try (var engines = SideBySide.startTelling("--add-runtime", "here=" + ProbeImage.script("runc-here"), "--default-runtime", "here")) {
            var tar = ProbeImage.tar(engines.ours);
            for (var engine : List.of(engines.ours, engines.theirs)) ProbeImage.importInto(engine, tar);
            var table = new Difference.Table();
            for (Case each : cases(volume())) {
                var theirs = CompletableFuture.supplyAsync(() -> views(engines.theirs, each));
                var ours = views(engines.ours, each);
                assertEquals(theirs.join().keySet(), ours.keySet());
                ours.forEach((view, facts) -> table.compare(each.name + ": " + view, facts, theirs.join().get(view)));
            }
            Files.createDirectories(TABLE.getParent());
            Files.writeString(TABLE, table.toString());
            System.out.println(table);
            assertEquals(List.of(), table.unexplained());
        }
    }

    /// Handlers and masks that a program was started with cannot be seen by Python, which changes them: here a simpler one looks.
    @Test void aProgramStartsWithTheSameSignals(SideBySide engines) {
        assumeFalse(Engine.PEER, "compares with dockerd itself");
        BusyboxImage.assumePossible();
        // dockerd hands on what it was itself started with ignored, so there only the others can be compared.
        String status = " cat /proc/self/status | grep -E '^(Sig(Pnd|Blk|Cgt)|ShdPnd)'";
        engines.agreeOn("docker run --rm --network none " + BusyboxImage.NAME + status,
                "docker run -d --name signals --network none " + BusyboxImage.NAME + " sleep 1000",
                "docker exec signals" + status, "docker exec -u 1000 signals" + status);
        String ignored = "grep SigIgn /proc/self/status";
        for (String who : List.of("run --rm --network none " + BusyboxImage.NAME, "exec signals", "exec -u 1000 signals")) {
            assertEquals("SigIgn:\t0000000000000000", SideBySide.shell(engines.ours, "docker " + who + " " + ignored).succeeded(), who);
        }
    }

    private static Map<String, InsideView> views(Engine engine, Case each) {
        var run = engine.docker().command("run", "-d");
        if (!each.options.contains("--net=host")) run = run.and("--network", "none");
        String id = run.and(each.options.toArray(String[]::new))
                .and(ProbeImage.NAME, "python3", ProbeImage.PROBE, "stay").and(each.probe.split(" ")).run().succeeded();
        try {
            String printed = printed(engine, id);
            var first = InsideView.raw(printed);
            Map<String, InsideView> views = new TreeMap<>(Map.of("run", complete(InsideView.of(printed, engine, id, null))));
            for (String command : each.execs.commands) {
                var exec = engine.docker().command(command.split(" ")).and(id, "python3", ProbeImage.PROBE).run();
                views.put(command, complete(InsideView.of(exec.out() + exec.err(), engine, id, first)));
            }
            return views;
        } finally {
            engine.docker().run("rm", "-f", id);
        }
    }

    /// The same for both engines, and in no folder of theirs.
    private static Path volume() throws IOException {
        return Files.createDirectories(TABLE.resolveSibling("inside-volume").toAbsolutePath());
    }

    /// A probe that has seen little would agree with everything.
    private static InsideView complete(InsideView view) {
        assertTrue(view.facts().size() > 500, () -> "the probe failed: " + view);
        return view;
    }

    private static String printed(Engine engine, String id) {
        boolean done = Engine.become(Duration.ofSeconds(60), () -> engine.docker().run("logs", id).out().contains("}")
                || !engine.docker().run("inspect", "-f", "{{.State.Running}}", id).out().startsWith("true"));
        var logs = engine.docker().run("logs", id);
        assertTrue(done, logs::toString);
        return logs.out() + logs.err();
    }
}
