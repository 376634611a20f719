package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Ways out of a container that lead through the processes of the runtime: its program, descriptors, memory, namespaces and keys.
@ExtendWith(SharedEngine.class)
class ProcessEscapeIT {
    private static final String TRAP = "escape-trap:it";
    private Engine engine;
    private DockerCli docker;

    @BeforeAll static void images(Engine shared) throws IOException {
        var tree = ProbeImage.tree(shared);
        ProbeImage.importAs(shared, tree, ProbeImage.NAME, "CMD [\"sh\"]");
        // A script whose interpreter is whatever executes it, and a library that keeps who loads it from ever ending.
        Files.writeString(tree.resolve("script"), "#!/proc/self/exe\n");
        tree.resolve("script").toFile().setExecutable(true);
        Files.createDirectory(tree.resolve("trap"));
        Command.of("mkfifo", tree.resolve("trap/libjli.so").toString(), tree.resolve("trap/libz.so.1").toString()).run().succeeded();
        for (int n = 3; n < 12; n++) Files.createSymbolicLink(tree.resolve("descriptor-" + n), Path.of("/proc/self/fd/" + n));
        ProbeImage.importAs(shared, tree, TRAP, "CMD [\"sh\"]", "ENV LD_LIBRARY_PATH=/trap");
    }

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    /// CVE-2019-5736. Without the shim's own nameless copy of `java`, the attacker holds the one that every engine process is started from.
    @Test void theRuntimesProgramCannotBeTakenThroughProcSelfExe() {
        try (var attack = Attack.start(docker, List.of(), "programs")) {
            String victim = attack.container().id();
            for (String program : List.of("/proc/self/exe", "/script")) {
                for (int i = 0; i < 5; i++) {
                    docker.run("exec", "-d", "-e", "LD_LIBRARY_PATH=/trap", victim, program.equals("/script") ? "/bin/sh" : program, "-c", "true");
                }
                for (int i = 0; i < 3; i++) {
                    docker.run("run", "-d", "--network", "none", "--name", "exe-" + program.replace('/', '-') + i, "--pid", "container:" + victim,
                            TRAP, program);
                }
            }
            var taken = attack.successes("program");
            docker.run("ps", "-aq", "--filter", "name=exe-").out().lines().forEach(id -> docker.run("rm", "-f", id));
            assumeFalse(Engine.PEER, "runc's copy is a file in memory, too, but counted otherwise");
            for (String line : taken) {
                // program DEVICE INODE LINKS: what has no name is nobody's program any more.
                assertEquals("0", line.split(" ")[3], () -> "the container holds a file of the host: " + taken);
            }
            assertFalse(taken.isEmpty(), "the attack has seen no program but its own, so nothing was tested");
        }
    }

    /// CVE-2024-21626. Magic links are not followed for the working folder, and there is nothing behind them but the streams.
    @Test void theWorkingFolderCannotBeADescriptorOfTheRuntime() {
        try (var container = docker.background("--network", "none", TRAP, "sleep", "1000")) {
            for (int n = 3; n < 12; n++) {
                for (String folder : List.of("/proc/self/fd/" + n, "/descriptor-" + n, "/proc/self/fd/" + n + "/../../..")) {
                    var exec = docker.run("exec", "-w", folder, container.id(), "ls", ".");
                    assertNotEquals(0, exec.status(), exec::toString);
                }
                var run = docker.run("run", "--rm", "--network", "none", "-w", "/descriptor-" + n, TRAP, "ls", ".");
                assertNotEquals(0, run.status(), run::toString);
            }
        }
    }

    /// The same by the processes of the host, where a container is allowed to see them: nothing is made behind a magic link either.
    @Test void aWorkingFolderIsNotMadeBehindAMagicLink() {
        var made = engine.scratch().resolve("made-on-the-host");
        var outcome = docker.run("run", "--rm", "--network", "none", "--pid=host", "-w", "/proc/1/root" + made, ProbeImage.NAME, "pwd");
        assertFalse(Files.exists(made), outcome::toString);
        assertNotEquals(0, outcome.status(), outcome::toString);
    }

    /// CVE-2016-9962, CVE-2022-29162. Fails when the shim can be dumped: then the attacker opens its memory while a child is set up.
    @Test void aProcessThatIsBeingSetUpCannotBeLookedInto() {
        try (var attack = Attack.start(docker, List.of(), "processes", "true sleep python3 sh")) {
            // How they end is up to the attacker, who may trace them once they are the container's.
            for (int i = 0; i < 20; i++) docker.run("exec", attack.container().id(), "true");
            for (int i = 0; i < 5; i++) docker.run("exec", "-u", "1000", attack.container().id(), "true");
            assertEquals(List.of(), attack.successes("process"));
            assertFalse(attack.successes("looked").isEmpty(), "it can look into those that run the container's programs");
        }
    }

    @Test void anExecIsInExactlyTheContainersNamespaces() {
        try (var container = docker.background("--network", "none", ProbeImage.NAME, "sleep", "1000")) {
            String pid = container.inspect("{{.State.Pid}}");
            String first = namespaces("/proc/" + pid + "/ns");
            String second = docker.run("exec", container.id(), "sh", "-c", "for n in /proc/self/ns/*; do readlink $n; done").succeeded();
            assertEquals(first, second);
        }
    }

    private static String namespaces(String folder) {
        return Command.of("sh", "-c", "for n in " + folder + "/*; do readlink $n; done").run().succeeded();
    }

    @Test void anExecThatFailsLeavesNoProcess() {
        try (var container = docker.background("--network", "none", ProbeImage.NAME, "sleep", "1000")) {
            long shim = engine.processes().stream().filter(p -> Engine.commandLine(p).contains("ShimMain")).findFirst().map(ProcessHandle::pid).orElse(0L);
            for (var arguments : List.of(List.of("-w", "/proc/self/fd/5"), List.of("-u", "nobody-at-all"), List.of("-w", "/bin/busybox"))) {
                assertNotEquals(0, docker.command("exec").and(arguments.toArray(String[]::new)).and(container.id(), "true").run().status());
            }
            assertNotEquals(0, docker.run("exec", container.id(), "/no/such/program").status());
            assertEquals(2, docker.run("top", container.id()).succeeded().lines().count(), "the heading and sleep");
            assumeFalse(Engine.PEER, "counts children of our shim");
            String children = Command.of("ps", "-o", "stat=,comm=", "--ppid", Long.toString(shim)).run().out();
            assertFalse(children.contains("Z"), children);
        }
    }

    /// Docker's default profile forbids the calls, so here it is off. Fails for the exec when it keeps the shim's keyring.
    @Test void keysAreSharedNeitherAmongContainersNorWithTheHost() {
        var open = List.of("--security-opt", "seccomp=unconfined");
        try (var one = Attack.start(docker, open, "leave", "treasure")) {
            assertFalse(one.said().contains("found -1"), "who left the key finds it");
            var other = Attack.run(docker, open, "find", "treasure").lines().toList();
            assertTrue(other.contains("found -1"), other::toString);
            var exec = docker.run("exec", one.container().id(), "python3", "/attack.py", "find", "treasure").succeeded();
            assertTrue(exec.contains("_ses." + one.container().id()), exec);
            String ring = one.said().stream().filter(l -> l.startsWith("session")).findFirst().orElseThrow().replaceAll(".*;", "");
            var joined = Attack.run(docker, open, "join", ring, "treasure");
            assertTrue(joined.contains("found -1"), joined);
        }
    }

    @Test void theEnginesOwnEnvironmentIsNotInside() {
        var environment = docker.run("run", "--rm", "--network", "none", ProbeImage.NAME, "env").succeeded();
        assertFalse(environment.contains("MALLOC_ARENA_MAX") || environment.contains("LD_LIBRARY_PATH") || environment.contains("balena"), environment);
    }

    /// A copy of what the shim runs from is never left behind.
    @Test void noCopyOfTheProgramIsLeft() throws IOException {
        docker.run("run", "--rm", "--network", "none", ProbeImage.NAME, "true").succeeded();
        for (String folder : List.of("/dev/shm", "/run", "/tmp")) {
            try (var files = Files.list(Path.of(folder))) {
                assertEquals(List.of(), files.filter(f -> f.getFileName().toString().startsWith(".balena-engine-shim.")).toList());
            }
        }
    }
}
