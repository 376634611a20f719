package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// `balena-engine-runc` beside Debian's runc, on the same bundles.
@Timeout(300)
class RuncVerbsIT {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    @TempDir
    Path folder;

    private RuncProgram ours;
    private RuncProgram runc;
    private RuncBundle bundle;
    private String id;

    @BeforeEach
    void prepare() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/runc")), "needs Debian's runc");
        assumeTrue(Files.isExecutable(Path.of("/bin/busybox")), "needs a static busybox");
        ours = RuncProgram.ours(folder);
        runc = RuncProgram.debians(folder);
        bundle = new RuncBundle(folder.resolve("bundle"));
        id = "runcverbs-" + ProcessHandle.current().pid() + "-" + NUMBER.incrementAndGet();
    }

    @AfterEach
    void removeContainers() {
        for (var program : List.of(ours, runc)) program.run("delete", "--force", id);
    }

    private String bundlePath() {
        return bundle.folder.toString();
    }

    /// Leaves the streams of what lives on to nobody.
    private Outcome detached(RuncProgram program, String verb, String... flags) throws IOException {
        var words = new ArrayList<>(List.of(program.program(), "--root", program.root().toString(), verb));
        words.addAll(List.of(flags));
        words.addAll(List.of("--bundle", bundlePath(), id));
        String line = String.join(" ", words) + " </dev/null >" + folder.resolve("out") + " 2>" + folder.resolve("err");
        var outcome = Command.of("sh", "-c", line).run();
        return new Outcome(line, outcome.status(), outcome.output(), Files.readString(folder.resolve("err")));
    }

    @Test
    void whatOneInvocationCreatesAnotherStarts() throws Exception {
        Path pidFile = folder.resolve("pid");
        bundle.running("sh", "-c", "echo started; exec sleep 1000");
        detached(ours, "create", "--pid-file", pidFile.toString()).succeeded();
        assertEquals("created", ours.status(id));
        assertEquals("", Files.readString(folder.resolve("out")));
        // Changes after the creation have no effect.
        bundle.running("echo", "changed");
        var state = RuncBundle.JSON.readTree(ours.run("state", id).succeeded());
        assertEquals(Files.readString(pidFile), state.get("pid").asText());
        ours.run("start", id).succeeded();
        assertEquals("running", ours.status(id));
        assertEquals("here", ours.run("exec", id, "echo", "here").succeeded());
        assertEquals("started\n", Files.readString(folder.resolve("out")));
        ours.run("kill", id, "KILL").succeeded();
        awaitStatus(ours, "stopped");
        ours.run("delete", id).succeeded();
        assertEquals(List.of(), ours.traces(id, bundle.folder));
    }

    @Test
    void withoutSystemdNoGroupsOfItsAreMade() throws Exception {
        assumeFalse(Files.exists(Path.of("/run/systemd/system")), "needs a host without systemd");
        bundle.running("true");
        for (String verb : List.of("run", "create")) {
            String[] words = {"--systemd-cgroup", verb, "--bundle", bundlePath(), id};
            assertEquals(runc.answer(words), ours.answer(words));
        }
        assertEquals(List.of(), ours.traces(id, bundle.folder));
    }

    @Test
    void ofTwoStartsAtOnceOneSucceeds() throws Exception {
        bundle.running("sleep", "1000");
        detached(ours, "create").succeeded();
        var both = List.of(ours.command("start", id).start(), ours.command("start", id).start());
        int succeeded = 0;
        for (Process process : both) {
            if (process.waitFor() == 0) succeeded++;
        }
        assertEquals(1, succeeded);
        assertEquals("running", ours.status(id));
    }

    @Test
    void verbsAnswerInEveryStateAsRuncs() throws Exception {
        bundle.running("sleep", "1000");
        var answers = new TreeMap<String, List<String>>();
        for (var program : List.of(ours, runc)) {
            detached(program, "create").succeeded();
            note(answers, program, "created", "create --bundle " + bundlePath(), "resume", "exec true", "pause");
            note(answers, program, "created, paused", "start", "pause", "exec true", "resume");
            note(answers, program, "running", "start");
            note(answers, program, "started", "start", "kill NOSIGNAL", "delete", "resume", "exec none", "exec sh -c 'exit 7'", "pause");
            note(answers, program, "paused", "start", "exec true", "pause", "delete", "resume");
            note(answers, program, "ended", "kill KILL");
            awaitStatus(program, "stopped");
            note(answers, program, "stopped", "start", "exec true", "pause", "resume", "kill", "ps", "delete");
            note(answers, program, "deleted", "state", "start", "exec true", "kill", "pause", "ps", "delete", "delete --force");
            note(answers, program, "nothing", "list", "list --quiet", "list --format json", "list --format other");
        }
        answers.forEach((what, two) -> assertEquals(two.get(1), two.get(0), what));
    }

    private void note(TreeMap<String, List<String>> answers, RuncProgram program, String state, String... verbs) {
        for (String verb : verbs) {
            String[] words = verb.split(" ", 2);
            var line = new StringBuilder(program.program() + " --root " + program.root() + " " + words[0]);
            boolean flags = words.length > 1 && words[1].startsWith("--");
            if (flags) line.append(' ').append(words[1]);
            if (!words[0].equals("list")) line.append(' ').append(id);
            if (words.length > 1 && !flags) line.append(' ').append(words[1]);
            var outcome = Command.of("sh", "-c", line + " </dev/null").run();
            String error = outcome.err().replaceAll("(?s).*level=error msg=\"(.*)\"\n.*", "$1");
            answers.computeIfAbsent(state + ": " + verb, _ -> new ArrayList<>())
                    .add(outcome.status() + "|" + outcome.out().replaceAll("[0-9]+", "N") + "|" + error);
        }
    }

    private void awaitStatus(RuncProgram program, String wanted) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!program.status(id).equals(wanted)) {
            assertTrue(System.nanoTime() < deadline, wanted);
            Thread.sleep(20);
        }
    }

    @Test
    void runEndsAsItsProgramDoes() {
        for (var program : List.of(ours, runc)) {
            bundle.running("sh", "-c", "cat; echo err >&2; exit 3");
            var outcome = program.command("run", "--bundle", bundlePath(), id).run("input");
            assertEquals("3input", outcome.status() + outcome.out());
            assertEquals("err\n", outcome.err());
        }
        for (String[] args : new String[][] {{"sh", "-c", "kill -9 $$"}, {"none"}, {"/none"}, {"env"}, {"id"}}) {
            bundle.running(args);
            assertEquals(runc.answer("run", "--bundle", bundlePath(), id), ours.answer("run", "--bundle", bundlePath(), id));
        }
    }

    @Test
    void execGivesWhatItsFlagsSay() throws Exception {
        bundle.running("sleep", "1000");
        for (var program : List.of(ours, runc)) detached(program, "run", "--detach").succeeded();
        String look = "id; pwd; env | grep -v SHLVL; grep -E 'Cap|NoNewPrivs' /proc/self/status";
        Path process = folder.resolve("process.json");
        Files.writeString(process, "{\"args\":[\"sh\",\"-c\",\"" + look.replace("\"", "\\\"") + "\"],\"cwd\":\"/tmp\",\"user\":{\"uid\":7,\"gid\":8},"
                + "\"env\":[\"PATH=/bin\"]}");
        List<List<String>> calls = List.of(
                List.of(id, "sh", "-c", look),
                List.of("--user", "5:6", "--env", "A=b", "--env", "C=d", "--cwd", "/tmp", id, "sh", "-c", look),
                List.of("-u", "5", "--additional-gids", "9", id, "sh", "-c", look),
                List.of("--cap", "CAP_SYS_ADMIN", id, "sh", "-c", look),
                List.of("--process", process.toString(), id));
        for (var call : calls) {
            var words = new ArrayList<>(List.of("exec"));
            words.addAll(call);
            String[] all = words.toArray(String[]::new);
            assertEquals(sorted(runc.run(all).succeeded()), sorted(ours.run(all).succeeded()), call.toString());
        }
    }

    /// A shell prints its environment in no order.
    private static List<String> sorted(String text) {
        return text.lines().sorted().toList();
    }

    @Test
    void hooksRunWhereAndWithWhatRuncGivesThem() throws Exception {
        Path log = folder.resolve("log");
        Path script = folder.resolve("hook");
        Files.writeString(script, "#!/bin/sh\nstate=$(cat)\necho \"$1 $(pwd) $(env | grep -v ^_ | sort | tr '\\n' ' ')"
                + "$(readlink /proc/self/ns/mnt | grep -q \"$HOST\" && echo host || echo container) $(id -u) $state\" >>" + log + "\n");
        script.toFile().setExecutable(true);
        var hooks = bundle.config.putObject("hooks");
        String host = Files.readSymbolicLink(Path.of("/proc/self/ns/mnt")).toString().replaceAll("[^0-9]", "");
        for (String point : List.of("prestart", "createRuntime", "createContainer", "poststart", "poststop")) {
            var hook = hooks.putArray(point).addObject().put("path", script.toString());
            hook.putArray("args").add("hook").add(point);
            hook.putArray("env").add("PATH=/bin:/usr/bin").add("HOST=" + host);
        }
        // What a hook in the container sees is told by its program.
        var inside = hooks.putArray("startContainer").addObject().put("path", "/bin/sh");
        inside.putArray("args").add("sh").add("-c")
                .add("{ cat; id; pwd; env; grep Cap /proc/self/status; readlink /proc/self/fd/1; } >/tmp/hook");
        inside.putArray("env").add("X=1");
        ((com.fasterxml.jackson.databind.node.ObjectNode) bundle.config.get("root")).put("readonly", false);
        ((com.fasterxml.jackson.databind.node.ObjectNode) bundle.process().get("user")).put("uid", 7);
        bundle.process().put("cwd", "/tmp");
        bundle.folder.resolve("rootfs/tmp").toFile().setWritable(true, false);
        bundle.running("cat", "/tmp/hook");
        List<String> seen = new ArrayList<>();
        for (var program : List.of(ours, runc)) {
            String out = program.run("run", "--bundle", bundlePath(), id).succeeded();
            String all = out + "\n" + Files.readString(log);
            seen.add(all.replaceAll("\"pid\":[0-9]{2,}", "\"pid\":N").replaceAll("\"ociVersion\":\"[^\"]*\"", ""));
            Files.delete(log);
            Files.delete(bundle.folder.resolve("rootfs/tmp/hook"));
        }
        // runc 1.1 runs this hook too early, before the program; the specification wants it after.
        assertEquals(seen.get(1).replaceAll("(poststart .*)created", "$1running"), seen.get(0));
    }

    @Test
    void aHookThatFailsHasTheSameConsequences() throws Exception {
        for (String point : List.of("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")) {
            var hook = bundle.config.putObject("hooks").putArray(point).addObject().put("path", "/bin/sh");
            hook.putArray("args").add("sh").add("-c").add("exit 3");
            hook.putArray("env").add("PATH=/bin");
            bundle.running("true");
            int expected = runc.run("run", "--bundle", bundlePath(), id).status();
            var outcome = ours.run("run", "--bundle", bundlePath(), id);
            assertEquals(expected, outcome.status(), point);
            assertTrue(outcome.err().contains("hook #0: exit status 3"), outcome.toString());
            assertEquals(List.of(), ours.traces(id, bundle.folder), point);
        }
    }

    @Test
    void whatACreationThatWasKilledHasLeftCanBeDeleted() throws Exception {
        var hook = bundle.config.putObject("hooks").putArray("createRuntime").addObject().put("path", "/bin/sh");
        hook.putArray("args").add("sh").add("-c").add("kill -9 $PPID");
        bundle.running("true");
        detached(ours, "create").endedWith(137);
        assertTrue(Files.exists(ours.root().resolve(id)));
        ours.run("delete", "--force", id).succeeded();
        assertEquals(List.of(), ours.traces(id, bundle.folder));
        bundle.config.remove("hooks");
        bundle.running("echo", "again");
        assertEquals("again", ours.run("run", "--bundle", bundlePath(), id).succeeded());
    }

    @Test
    void whatCannotBeExecutedIsToldByStart() throws Exception {
        Path script = bundle.folder.resolve("rootfs/bin/script");
        Files.writeString(script, "#!/none\n");
        script.toFile().setExecutable(true);
        bundle.running("script");
        detached(ours, "create").succeeded();
        var outcome = ours.run("start", id).endedWith(1);
        assertTrue(outcome.err().contains("exec script: no such file or directory"), outcome.toString());
        awaitStatus(ours, "stopped");
        ours.run("delete", id).succeeded();
        assertEquals(List.of(), ours.traces(id, bundle.folder));
    }

    @Test
    void signalsReachTheProgramInTheForeground() throws Exception {
        bundle.running("sh", "-c", "trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.1; done");
        for (var program : List.of(ours, runc)) {
            Process process = program.command("run", "--bundle", bundlePath(), id).start();
            var out = new BufferedReader(new InputStreamReader(process.getInputStream()));
            assertEquals("ready", out.readLine());
            Command.of("kill", "-USR1", Long.toString(process.pid())).run().succeeded();
            assertEquals("usr1", out.readLine());
            Command.of("kill", "-TERM", Long.toString(process.pid())).run().succeeded();
            assertEquals("term", out.readLine());
            assertEquals(9, process.waitFor());
        }
    }

    @Test
    void aTerminalIsJoinedToOurs() {
        bundle.process().put("terminal", true);
        bundle.running("sh", "-c", "tty; stty size; exit 5");
        String line = "stty rows 33 cols 44; exec " + ours.program() + " --root " + ours.root() + " run --bundle " + bundlePath() + " " + id;
        var outcome = Command.of("script", "--quiet", "--return", "--command", line, "/dev/null").run().endedWith(5);
        // script types the end of its input, a NUL where the terminal is raw by then, and that is echoed at some moment.
        assertTrue(outcome.out().replace("^@", "").contains("/dev/pts/0\r\n33 44\r\n"), outcome.toString());
    }

    @Test
    void descriptorsAreInheritedAsAskedAndNoOthers() {
        bundle.running("sh", "-c", "cat <&3; ls /proc/self/fd | grep -v 255");
        List<String> outputs = new ArrayList<>();
        for (var program : List.of(ours, runc)) {
            String line = program.program() + " --root " + program.root() + " run --preserve-fds 1 --bundle " + bundlePath() + " " + id
                    + " 3</etc/hostname 4</etc/passwd </dev/null";
            outputs.add(Command.of("sh", "-c", line).run().succeeded());
        }
        assertEquals(outputs.get(1), outputs.get(0));
        var refused = Command.of("sh", "-c", ours.program() + " --root " + ours.root() + " run --preserve-fds 2 --bundle " + bundlePath() + " "
                + id + " 3</etc/hostname </dev/null").run().endedWith(1);
        assertTrue(refused.err().contains("cannot preserve file descriptor 4: it is not open"), refused.toString());
    }
}
