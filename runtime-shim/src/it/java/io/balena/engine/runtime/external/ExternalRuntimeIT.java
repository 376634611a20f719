package io.balena.engine.runtime.external;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.cgroup.CgroupFiles;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.client.ShimFixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What other runtimes do wrong, and what befalls them, at the shim's door. That they do right is tested with a whole engine.
@Timeout(60)
class ExternalRuntimeIT {
    private static final Stdio NOTHING = new Stdio(false, false, Optional.empty());
    private static final Path RUNC = Path.of("/usr/sbin/runc");

    @TempDir Path folder;
    private ShimFixture fixture;

    @BeforeEach
    void startAShim() throws IOException {
        Assumptions.assumeTrue(Files.isExecutable(RUNC), "needs " + RUNC);
        fixture = new ShimFixture(folder);
        fixture.newFolder("test");
    }

    @AfterEach
    void endIt() throws Exception {
        if (fixture != null) fixture.close();
        // Where both versions of control groups are, runc makes some of the second, too.
        Path unified = Path.of("/sys/fs/cgroup/unified" + ShimFixture.cgroupsPath(""));
        if (Files.exists(unified)) CgroupFiles.remove(unified);
    }

    private RuntimeCommand script(String content) throws IOException {
        Path script = Files.writeString(folder.resolve("a-runtime"), "#!/bin/sh\n" + content + "\n");
        script.toFile().setExecutable(true);
        return new RuntimeCommand(script.toString(), List.of());
    }

    private String failureOfCreate(RuntimeCommand command) throws IOException {
        String id = ShimFixture.newId();
        Path bundle = fixture.bundle().running("true").write(ShimFixture.cgroupsPath(id));
        var failure = assertThrows(ContainerFailure.class, () -> fixture.shim.create(id, bundle, NOTHING, Optional.of(command)));
        assertTrue(failure.isOfOtherRuntime(), failure::getMessage);
        assertEquals(Map.of(), fixture.shim.list());
        assertFalse(Files.exists(fixture.execRoot.resolve("containers").resolve(id)), "something is left of it");
        return failure.getMessage();
    }

    private static void await(java.util.concurrent.Callable<Boolean> condition) throws Exception {
        while (!condition.call()) TimeUnit.MILLISECONDS.sleep(5);
    }

    private static void killShim(int pid) throws Exception {
        ProcessHandle process = ProcessHandle.of(pid).orElseThrow();
        process.destroyForcibly();
        process.onExit().get(20, TimeUnit.SECONDS);
    }

    @Test
    void itsLastErrorIsTold() throws Exception {
        String log = """
                while [ $# -gt 0 ]; do [ "$1" != --log ] || log=$2; shift; done
                cat >> $log <<'END'
                {"level":"error","msg":"not the last","time":"x"}
                not json
                {"level":"error","msg":"the last \\u201cone\\u201d\\n"}
                {"level":"info","msg":"not an error"}
                END
                exit 1""";
        assertEquals("the last “one”", failureOfCreate(script(log)));
    }

    @Test
    void withoutAnErrorInItsLogItsStatusIsTold() throws Exception {
        RuntimeCommand command = script("exit 3");
        assertEquals(command.program() + " did not terminate successfully: exit status 3", failureOfCreate(command));
    }

    @Test
    void whatIsNoRuntimeIsRefused() throws Exception {
        assertTrue(failureOfCreate(script("exit 0")).contains("has named no process"));
        assertTrue(failureOfCreate(script("while [ $# -gt 0 ]; do [ $1 != --pid-file ] || echo no pid > $2; shift; done"))
                .endsWith("has named no process: \"no pid\""));
        assertTrue(failureOfCreate(new RuntimeCommand("/no/such/runtime", List.of()))
                .endsWith("fork/exec /no/such/runtime: no such file or directory"));
        assertTrue(failureOfCreate(new RuntimeCommand("no-such-runtime", List.of()))
                .endsWith("exec: \"no-such-runtime\": executable file not found in $PATH"));
        assertTrue(failureOfCreate(new RuntimeCommand("/etc/passwd", List.of())).endsWith("fork/exec /etc/passwd: permission denied"));
    }

    @Test
    void itsArgumentsComeBeforeTheRest() throws Exception {
        Path said = folder.resolve("said");
        RuntimeCommand plain = script("echo \"$@\" >> " + said + "; exit 1");
        failureOfCreate(new RuntimeCommand(plain.program(), List.of("--one", "two words")));
        assertTrue(Files.readString(said).startsWith("--one two words --root " + fixture.execRoot.resolve("runtime-a-runtime") + " --log "));
    }

    @Test
    void aContainerWhoseMakerWasKilledWithTheShimLeavesNothing() throws Exception {
        Path begun = folder.resolve("begun");
        Path go = folder.resolve("go");
        RuntimeCommand slow = script("case \" $* \" in *' create '*) touch " + begun + "; while [ ! -e " + go + " ]; do sleep 0.02; done;; esac\n"
                + "exec " + RUNC + " \"$@\"");
        String id = ShimFixture.newId();
        Path bundle = fixture.bundle().running("sleep", "1000").write(ShimFixture.cgroupsPath(id));
        int before = fixture.shim.pid();
        var creation = CompletableFuture.supplyAsync(() -> {
            try {
                return fixture.shim.create(id, bundle, NOTHING, Optional.of(slow));
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        await(() -> Files.exists(begun));
        killShim(before);
        assertThrows(java.util.concurrent.ExecutionException.class, creation::get);
        ExitStatus status = fixture.awaitExit(ProcessKey.container(id));
        assertFalse(status.known());
        Files.createFile(go);
        fixture.shim.delete(ProcessKey.container(id));
        assertEquals(Map.of(), fixture.shim.list());
        assertFalse(Files.exists(fixture.execRoot.resolve("runtime-a-runtime").resolve(id)), "the runtime knows it");
        assertTrue(ProcessHandle.allProcesses().noneMatch(p -> p.info().commandLine().orElse("").contains(id)), "somebody works for it");
    }

    @Test
    void aDamagedRecordIsDeletedAllTheSame() throws Exception {
        String id = ShimFixture.newId();
        Path bundle = fixture.bundle().running("sleep", "1000").write(ShimFixture.cgroupsPath(id));
        var runc = new RuntimeCommand(RUNC.toString(), List.of());
        fixture.shim.create(id, bundle, NOTHING, Optional.of(runc));
        fixture.shim.start(id);
        int before = fixture.shim.pid();
        Files.write(fixture.execRoot.resolve("containers").resolve(id).resolve("runtime/command"), new byte[] {1, 2, 3});
        killShim(before);
        await(() -> {
            try {
                return fixture.shim.pid() != before && fixture.shim.list().get(id) instanceof ContainerState.Running;
            } catch (IOException e) {
                return false; // not yet
            }
        });
        fixture.shim.kill(ProcessKey.container(id), 9);
        fixture.awaitExit(ProcessKey.container(id));
        fixture.shim.delete(ProcessKey.container(id));
        for (var hierarchy : Hierarchies.read().v1()) {
            assertFalse(Files.exists(hierarchy.mount().resolve(ShimFixture.cgroupsPath(id).substring(1))), "left in " + hierarchy);
        }
    }
}
