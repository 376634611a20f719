package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Ways out of a container that lead through files: images and volumes in which names mean something else than they should.
///
/// Each has a folder of the host that a container must neither see nor change: [#outside].
@ExtendWith(SharedEngine.class)
class FileEscapeIT {
    private static final String EVIL = "escape-files:it";
    private Engine engine;
    private DockerCli docker;
    private Path outside;
    private Path shared;

    @BeforeAll static void image(Engine engine) {
        ProbeImage.importInto(engine, ProbeImage.tar(engine));
    }

    @BeforeEach void prepare(Engine running) throws IOException {
        engine = running;
        docker = running.docker();
        outside = running.scratch();
        shared = running.scratch();
        Files.writeString(outside.resolve("secret"), "the host's\n");
    }

    @AfterEach void removeImages() {
        docker.run("rmi", "-f", EVIL);
    }

    private Outcome run(String... arguments) {
        return docker.command("run", "--rm", "--network", "none").and(arguments).run();
    }

    private void assertOutsideIsUntouched(Object context) {
        try (var files = Files.list(outside)) {
            assertEquals(List.of(outside.resolve("secret")), files.toList(), () -> "the host's folder was changed: " + context);
            assertEquals("the host's\n", Files.readString(outside.resolve("secret")), context::toString);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /// CVE-2021-30465. Fails when destinations are opened without RESOLVE_IN_ROOT: the folders are then made on the host.
    @Test void namesThatAreExchangedWhileAContainerStartsDoNotLeadOut() throws IOException {
        Files.createDirectory(shared.resolve("real"));
        Files.createSymbolicLink(shared.resolve("link"), outside);
        var inner = engine.scratch();
        Files.writeString(inner.resolve("marker"), "inner\n");
        int through = 0;
        try (var _ = Attack.start(docker, List.of("-v", shared + ":/shared"), "exchange", "/shared/real", "/shared/link")) {
            for (int round = 0; round < 20; round++) {
                var outcome = run("-v", shared + ":/data", "-v", inner + ":/data/real/sub/deep" + round, "--tmpfs", "/data/real/tmp" + round,
                        "-v", inner + ":/data/link/other" + round, ProbeImage.NAME, "sh", "-c",
                        "test ! -e /data/real/secret && test ! -e /data/link/secret && cat /proc/mounts");
                assertOutsideIsUntouched(outcome);
                if (outcome.status() == 0) through++;
            }
        }
        System.out.println("of 20 containers started while names were exchanged, " + through + " did so; the others were refused");
    }

    /// CVE-2025-31133: /dev/null, which masks files, is a link to one that is worth reading or writing.
    @Test void aMaskIsNotTakenFromTheContainer() throws IOException {
        Files.createSymbolicLink(shared.resolve("null"), Path.of("/proc/sys/kernel/hostname"));
        var constant = run("-v", shared + ":/dev", ProbeImage.NAME, "sh", "-c", "cat /proc/keys /proc/timer_list; stat -c %F /proc/keys");
        assertTrue(constant.status() != 0 || constant.out().equals("character special file\n"), constant::toString);
        // One that changes all the time.
        Files.delete(shared.resolve("null"));
        Files.createFile(shared.resolve("null"));
        Files.createSymbolicLink(shared.resolve("other"), Path.of("/proc/sysrq-trigger"));
        try (var _ = Attack.start(docker, List.of("-v", shared + ":/shared"), "exchange", "/shared/null", "/shared/other")) {
            for (int round = 0; round < 10; round++) {
                var outcome = run("-v", shared + ":/dev", ProbeImage.NAME, "stat", "-c", "%F %t:%T", "/proc/keys");
                assertTrue(outcome.status() != 0 || outcome.out().equals("character special file 1:3\n"), outcome::toString);
            }
        }
    }

    /// CVE-2025-52565: /dev/console is a link, and so are the terminals.
    @ParameterizedTest
    @ValueSource(strings = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "OUTSIDE/secret", "OUTSIDE/console"})
    void theTerminalIsNotPutBehindALink(String where) throws IOException {
        Path target = Path.of(where.replace("OUTSIDE", outside.toString()));
        Files.createSymbolicLink(shared.resolve("console"), target);
        String command = "docker run --rm -t --network none -v " + shared + ":/dev " + ProbeImage.NAME
                + " sh -c 'test -c /proc/sysrq-trigger && echo covered; echo x > /proc/sysrq-trigger && echo written; cat /dev/console </dev/null | head -c 1'";
        var outcome = SideBySide.shell(engine, "timeout 20 " + command.replace("/dev/console </dev/null", "/dev/null"));
        assertFalse(outcome.out().contains("covered") || outcome.out().contains("written"), outcome::toString);
        assertOutsideIsUntouched(outcome);
    }

    /// CVE-2025-52881, CVE-2023-27561, CVE-2019-16884: what is written to /proc while a container is made goes to the kernel, whatever the
    /// container has there; and nothing is mounted on it.
    @ParameterizedTest
    @ValueSource(strings = {"/proc", "/proc/sys", "/proc/../proc/self/attr"})
    void nothingIsMountedInsideProc(String destination) {
        for (var options : List.of(List.of("-v", shared + ":" + destination), List.of("--tmpfs", destination),
                List.of("-v", "proc-volume:" + destination))) {
            var outcome = docker.command("run", "--rm", "--network", "none").and(options.toArray(String[]::new)).and(ProbeImage.NAME, "true").run();
            assertNotEquals(0, outcome.status(), outcome::toString);
            assertTrue(outcome.err().contains("cannot be mounted because it is inside /proc")
                    || outcome.err().contains("cannot be mounted because it is not of type proc"), outcome::toString);
        }
    }

    /// An image decides where a volume of its own is mounted.
    @Test void aVolumeOfAnImageIsNotMountedInsideProcEither() {
        ProbeImage.importAs(engine, BusyboxImage.tree(engine), EVIL, "VOLUME /proc/sys");
        assertNotEquals(0, run(EVIL, "true").status());
    }

    /// Whatever names of an image are links to, containers are made inside it or not at all.
    @ParameterizedTest
    @ValueSource(strings = {"dev", "proc", "sys", "etc", "dev/shm dev/pts dev/console dev/null", "proc/self sys/fs",
        "etc/hosts etc/resolv.conf etc/hostname etc/mtab tmp vol srv"})
    void anImageWhoseNamesAreLinksOutChangesNothing(String names) throws IOException {
        var tree = BusyboxImage.tree(engine);
        boolean relative = false;
        for (String name : names.split(" ")) {
            Path link = tree.resolve(name);
            Command.of("rm", "-rf", link.toString()).run().succeeded();
            Files.createDirectories(link.getParent());
            Files.createSymbolicLink(link, Path.of((relative ? "../../../../../../../../.." : "") + outside));
            relative = !relative;
        }
        ProbeImage.importAs(engine, tree, EVIL, "VOLUME /vol", "WORKDIR /srv/here");
        for (String terminal : List.of("-t", "-i")) {
            var outcome = run(terminal, EVIL, "/bin/busybox", "sh", "-c",
                    "for n in " + outside + " $(for l in " + names + "; do echo /$l; done); do cat $n/secret; echo x > $n/written; done");
            assertFalse(outcome.out().contains("the host's"), outcome::toString);
            assertOutsideIsUntouched(outcome);
        }
    }

    /// Users are looked up in files that the image, or a container that runs, has made.
    @ParameterizedTest
    @ValueSource(strings = {"head -c 9000000 /dev/urandom > F", "mkfifo F", "mknod F c 1 9", "ln -s OUTSIDE/passwd F", "ln -s ../../../../../..OUTSIDE/passwd F",
        "ln -s F F", "printf 'root:x:99999999999:0\\n\\xff\\xfe:::::\\n:::\\nweb:x:-1:-1\\n' > F", "yes root:x:7:7:::: | head -c 3000000 > F", "yes , | tr -d '\\n' | head -c 4000000 > F"})
    void usersAndGroupsOfAHostileImageDoNoHarm(String making) throws IOException {
        var users = Files.writeString(outside.resolveSibling(outside.getFileName() + "-passwd"), "hostonly:x:4242:4242::/:/bin/sh\n");
        var tree = BusyboxImage.tree(engine);
        for (String file : List.of("etc/passwd", "etc/group")) {
            Command.of("sh", "-c", "cd " + tree + "; rm -rf " + file + "; " + making.replace("OUTSIDE/passwd", users.toString()).replace("F", file)
                    .replace("/dev/" + file, "/dev/F")).run().succeeded();
        }
        ProbeImage.importAs(engine, tree, EVIL);
        var unknown = run("-u", "hostonly", EVIL, "true");
        assertNotEquals(0, unknown.status(), unknown::toString);
        var byNumber = run("-u", "1000:1000", "--group-add", "77", EVIL, "grep", "-E", "^[UG]id", "/proc/self/status");
        assertEquals("Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000", byNumber.succeeded());
        try (var container = docker.background("--network", "none", EVIL, "sleep", "1000")) {
            assertNotEquals(0, docker.run("exec", "-u", "hostonly", container.id(), "true").status());
            docker.run("exec", "-u", "1000", container.id(), "true").succeeded();
        }
    }

    /// A running container exchanges its users' file for one that is never read to its end, and its folder for a link out.
    @Test void usersAreLookedUpSafelyWhileTheirFileIsExchanged() throws IOException {
        Files.writeString(outside.resolveSibling("passwd"), "");
        try (var container = docker.background("--network", "none", "--cpus", "0.5", ProbeImage.NAME, "sh", "-c",
                "mkfifo /etc/fifo; cp /etc/passwd /etc/plain; mkdir /other; mkdir /out; while :; do mv -f /etc/fifo /etc/passwd; mkfifo /etc/fifo;"
                        + " cp /etc/plain /etc/new; mv /etc/new /etc/passwd; done")) {
            for (int round = 0; round < 15; round++) {
                var outcome = docker.run("exec", "-u", "1000", container.id(), "true");
                assertEquals(0, outcome.status(), outcome::toString);
            }
        }
    }

    @Test void namesWithDotsLeadNowhere() throws IOException {
        for (var words : List.of(List.of("--name", "../escape"), List.of("--cgroup-parent", "../../../escape"), List.of("--cgroup-parent", "/../escape"),
                List.of("--mount", "type=volume,source=../escape,target=/x"), List.of("-v", "x:../y"),
                List.of("--cgroup-parent", "a/../../../../escape"))) {
            var outcome = docker.command("run", "--rm", "--network", "none").and(words.toArray(String[]::new)).and(ProbeImage.NAME, "true").run();
            boolean harmless = words.getFirst().equals("--cgroup-parent");
            assertTrue(outcome.status() != 0 || harmless, outcome::toString);
        }
        // What the command line would make of it itself is not its business.
        var bind = SideBySide.shell(engine, "api /containers/create -X POST -H 'Content-Type: application/json' -d '{\"Image\":\""
                + ProbeImage.NAME + "\",\"HostConfig\":{\"Binds\":[\"../escape:/x\"]}}'");
        assertTrue(bind.out().contains("includes invalid characters for a local volume name"), bind::toString);
        assertNotEquals(0, docker.run("volume", "create", "../escape").status());
        assertNotEquals(0, docker.run("volume", "create", "a/../../escape").status());
        assertNotEquals(0, docker.run("volume", "create", "..").status());
        try (var found = Files.find(engine.data(), 3, (path, _) -> path.getFileName().toString().equals("escape"))) {
            assertEquals(List.of(), found.toList());
        }
        for (Path root : List.of(Path.of("/sys/fs"), Path.of("/sys"), Path.of("/"))) assertFalse(Files.exists(root.resolve("escape")), root::toString);
    }

    /// What a volume is first filled with comes from the image.
    @Test void aVolumeIsNotFilledFromOutside() throws IOException {
        var tree = BusyboxImage.tree(engine);
        Files.createDirectory(tree.resolve("vol"));
        Files.createSymbolicLink(tree.resolve("vol/link"), outside);
        Files.createSymbolicLink(tree.resolve("vol2"), outside);
        ProbeImage.importAs(engine, tree, EVIL, "VOLUME /vol /vol2");
        var outcome = run(EVIL, "sh", "-c", "cat /vol/link/secret /vol2/secret; echo x > /vol/link/written; echo x > /vol2/written2; readlink /vol/link");
        assertFalse(outcome.out().contains("the host's"), outcome::toString);
        assertOutsideIsUntouched(outcome);
    }
}
