package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// `docker run`, option by option.
@ExtendWith(SharedEngine.class)
class RunIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private Outcome run(String... optionsAndCommand) {
        return docker.command("run", "--rm", "--network", "none").and(optionsAndCommand).run();
    }

    private String sh(String script, String... options) {
        return docker.command("run", "--rm", "--network", "none").and(options).and(BusyboxImage.NAME, "sh", "-c", script).run().succeeded();
    }

    @Test void standardOutputAndStandardErrorStayApart() {
        var outcome = run(BusyboxImage.NAME, "sh", "-c", "echo one; echo two >&2; echo three");
        assertEquals("one\nthree\n", outcome.out());
        assertEquals("two\n", outcome.err());
    }

    @Test void withoutACommandTheImagesOwnRuns() {
        assertEquals("from the image's shell", docker.command("run", "--rm", "-i", "--network", "none", BusyboxImage.NAME)
                .run("echo \"from the image's shell\"").succeeded());
    }

    @Test void standardInputReachesTheCommandAndItsEndToo() {
        var outcome = docker.command("run", "--rm", "-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "wc -c; echo after the end")
                .run("12345678");
        assertEquals("8\nafter the end", outcome.succeeded());
    }

    @Test void aHundredMegabytesThroughStandardInputArriveIntact() {
        long size = 100_000_000;
        var sent = new CRC32();
        var input = new InputStream() {
            private long left = size;
            private final java.util.Random random = new java.util.Random(1);

            @Override public int read() {
                throw new UnsupportedOperationException("read in blocks");
            }

            @Override public int read(byte[] bytes, int offset, int length) {
                if (left == 0) return -1;
                var block = new byte[(int) Math.min(Math.min(length, 65536), left)];
                random.nextBytes(block);
                System.arraycopy(block, 0, bytes, offset, block.length);
                sent.update(block);
                left -= block.length;
                return block.length;
            }
        };
        var outcome = docker.run(input, "run", "--rm", "-i", "--network", "none", BusyboxImage.NAME, "cat").endedWith(0);
        assertEquals(size, outcome.output().length);
        var received = new CRC32();
        received.update(outcome.output());
        assertEquals(sent.getValue(), received.getValue());
    }

    @Test void detachedItPrintsTheIdAndRunsOn() {
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            assertTrue(container.id().matches("[0-9a-f]{64}"), container.id());
            assertEquals("true", container.inspect("{{.State.Running}}"));
        }
    }

    @Test void rmRemovesTheContainerWhenItEnds() {
        run("--name", "gone", BusyboxImage.NAME, "true").succeeded();
        assertEquals("", docker.run("ps", "-aq", "--filter", "name=gone").succeeded());
    }

    @Test void aNameIsUsedOnce() {
        try (var first = docker.background("--network", "none", "--name", "taken", BusyboxImage.NAME, "sleep", "1000")) {
            var second = run("--name", "taken", BusyboxImage.NAME, "true").endedWith(125);
            assertTrue(second.err().contains("Conflict. The container name \"/taken\" is already in use by container \"" + first.id() + "\""), second.err());
        }
    }

    @Test void environmentComesFromTheImageTheOptionsAndFiles() throws IOException {
        var file = Files.writeString(engine.scratch().resolve("env"), "# a comment\nIN_FILE=1 2\n");
        assertEquals("yes a=b 1 2 over", sh("echo $FROM_IMAGE $AB $IN_FILE $LAST", "-e", "AB=a=b", "--env-file", file.toString(), "-e", "LAST=first", "-e", "LAST=over"));
    }

    @Test void theEnvironmentHasWhatDockerPutsThere() {
        var environment = sh("env");
        assertTrue(environment.contains("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), environment);
        assertTrue(environment.contains("HOME=/root"), environment);
        assertTrue(environment.lines().anyMatch(l -> l.matches("HOSTNAME=[0-9a-f]{12}")), environment);
    }

    @Test void theWorkingDirectoryIsSetAndMadeWhenMissing() {
        assertEquals("/tmp", sh("pwd", "-w", "/tmp"));
        assertEquals("/made/for/it", sh("pwd", "-w", "/made/for/it"));
    }

    @Test void usersAreGivenByNameOrNumberAndLookedUpInTheImage() {
        assertEquals("1234 1235 /home/web", sh("echo $(id -u) $(id -g) $HOME", "-u", "web"));
        assertEquals("1234 1235", sh("echo $(id -u) $(id -g)", "-u", "1234"));
        assertEquals("77 88", sh("echo $(id -u) $(id -g)", "-u", "77:88"));
        assertEquals("1234 0", sh("echo $(id -u) $(id -g)", "-u", "web:root"));
        assertTrue(sh("id -G", "-u", "web").contains("4321"), "its other groups come from the image as well");
        var unknown = run("-u", "nobody-here", BusyboxImage.NAME, "true").endedWith(125);
        assertTrue(unknown.err().contains("unable to find user nobody-here: no matching entries in passwd file"), unknown.err());
    }

    @Test void theEntrypointIsReplacedAndTheImagesCommandForgotten() {
        assertEquals("x y", run("--entrypoint", "echo", BusyboxImage.NAME, "x", "y").succeeded());
        assertEquals("", run("--entrypoint", "echo", BusyboxImage.NAME).succeeded());
    }

    @Test void aBindMountShowsAFolderBothWays() throws IOException {
        var folder = Files.createDirectory(engine.scratch().resolve("shared"));
        Files.writeString(folder.resolve("in"), "in\n");
        assertEquals("in", sh("cat /mnt/in; echo out > /mnt/out", "-v", folder + ":/mnt"));
        assertEquals("out\n", Files.readString(folder.resolve("out")));
    }

    @Test void aReadOnlyBindMountRefusesToBeWritten() {
        var outcome = run("-v", engine.scratch() + ":/mnt:ro", BusyboxImage.NAME, "touch", "/mnt/x").endedWith(1);
        assertTrue(outcome.err().contains("Read-only file system"), outcome.err());
    }

    @Test void aSingleFileIsBindMountedToo() throws IOException {
        var file = Files.writeString(engine.scratch().resolve("file"), "content\n");
        assertEquals("content", sh("cat /etc/some-file", "--mount", "type=bind,source=" + file + ",target=/etc/some-file,readonly"));
    }

    @Test void aMountWhoseSourceIsMissingIsRefused() {
        var outcome = run("--mount", "type=bind,source=/nowhere/at/all,target=/mnt", BusyboxImage.NAME, "true").endedWith(125);
        assertTrue(outcome.err().contains("bind source path does not exist: /nowhere/at/all"), outcome.err());
        Path made = engine.scratch().resolve("made-by-v");
        sh("true", "-v", made + ":/mnt");
        assertTrue(Files.isDirectory(made), "-v makes the folder, as Docker does");
    }

    @Test void theHostNameIsTheIdOrTheOneAsked() {
        assertEquals("box box", sh("echo $(hostname) $(cat /etc/hostname)", "--hostname", "box"));
        assertTrue(sh("hostname").matches("[0-9a-f]{12}"));
    }

    @Test void aReadOnlyRootRefusesToBeWrittenButTmpfsDoesNot() {
        assertEquals("no yes", sh("touch /x 2>/dev/null && echo -n yes || echo -n no; touch /scratch/x && echo ' yes'", "--read-only", "--tmpfs", "/scratch"));
        assertTrue(sh("grep ' /scratch ' /proc/mounts", "--tmpfs", "/scratch:size=1m,mode=700").contains("size=1024k"));
    }

    @Test void privilegedHasAllCapabilitiesAndTheMachinesDevices() {
        var usual = sh("grep CapEff /proc/self/status");
        assumeFalse(Engine.PEER, "runc needs capabilities that this machine may lack");
        var all = sh("grep CapEff /proc/self/status", "--privileged");
        assertTrue(Long.bitCount(Long.parseUnsignedLong(all.split("\\s+")[1], 16)) > 30, all);
        assertEquals("00000000a80425fb", usual.split("\\s+")[1]);
        assertEquals("yes", sh("test -e /dev/kmsg && echo yes", "--privileged"));
    }

    @Test void whatAContainerWritesStaysInIt() {
        assertEquals("", sh("echo x > /written"));
        assertEquals("no", sh("test -e /written && echo yes || echo no"));
    }

    @Test void theIdIsPutIntoTheVariableAskedFor() {
        assumeFalse(Engine.PEER, "only balenaEngine has ContainerIDEnv");
        var out = engine.balena().run("run", "--rm", "--network", "none", "--cidenv", "MY_ID", BusyboxImage.NAME, "sh", "-c", "echo $MY_ID").succeeded();
        assertTrue(out.matches("[0-9a-f]{64}"), out);
    }

    @Test void cidfileHoldsTheId() throws IOException {
        var file = engine.scratch().resolve("cid");
        run("--cidfile", file.toString(), BusyboxImage.NAME, "true").succeeded();
        assertTrue(Files.readString(file).matches("[0-9a-f]{64}"));
    }

    @Test void anUnknownImageIsPulledFirst() {
        try (var _ = Registry.start(engine)) {
            docker.run("rmi", "-f", Registry.HOST + "/it/small:2");
            var outcome = run(Registry.HOST + "/it/small:2", "echo", "pulled");
            assertEquals("pulled", outcome.succeeded());
            assertTrue(outcome.err().startsWith("Unable to find image '" + Registry.HOST + "/it/small:2' locally"), outcome.err());
            docker.run("rmi", "-f", Registry.HOST + "/it/small:2").succeeded();
        }
    }

    @Test void twentyContainersAtOnceKeepTheirOutputsToThemselves() {
        var outcomes = java.util.stream.IntStream.range(0, 20).parallel().mapToObj(i -> run(BusyboxImage.NAME, "echo", "number " + i)).toList();
        for (int i = 0; i < 20; i++) assertEquals("number " + i, outcomes.get(i).succeeded());
        assertFalse(docker.run("ps", "-a", "--format", "{{.Status}}").out().contains("Created"));
    }
}
