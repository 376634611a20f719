package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Log drivers and their options, beside dockerd's.
@ExtendWith(SharedSideBySide.class)
class LogDriversIT {
    private static final String RUN = "docker run --rm --network none ";
    private final SideBySide engines;

    LogDriversIT(SideBySide engines) {
        this.engines = engines;
    }

    /// `OPTIONS` of a container that says `hi`.
    private void agreeOnOptions(String... options) {
        for (String each : options) engines.agreeOn(RUN + each + " " + BusyboxImage.NAME + " echo hi");
    }

    @Test void whatMakesNoSenseIsRefusedInDockersWords() {
        for (String driver : List.of("json-file", "local")) {
            for (String option : List.of("nope=1", "max-size=1x", "max-size=", "max-size=-1", "max-size=0", "max-file=0", "max-file=x", "max-file=-3",
                    "compress=maybe", "mode=foo", "max-buffer-size=4m")) {
                agreeOnOptions("--log-driver " + driver + " --log-opt " + option);
            }
        }
        agreeOnOptions("--log-opt max-size=1k --log-opt max-file=1 --log-opt compress=true", "--log-opt labels-regex='('", "--log-opt env-regex='['",
                "--log-opt tag='{{.Bad}}'", "--log-opt tag='{{'", "--log-driver journald", "--log-driver journald --log-opt max-size=1",
                "--log-driver local --log-opt max-file=1", "--log-driver local --log-opt labels=a",
                "--log-opt mode=non-blocking --log-opt max-buffer-size=x", "--log-opt mode=non-blocking --log-opt max-buffer-size=4m");
    }

    @Test void driversThatThereAreNot() {
        var refused = SideBySide.shell(engines.ours, "docker create --log-driver syslog " + BusyboxImage.NAME + " true");
        assertEquals("Error response from daemon: logger: no log driver named 'syslog' is registered", refused.err().strip());
    }

    @Test void detailsAreTheSame() {
        engines.agreeOn("docker run --name details --network none --label a=1 --label b.x=2 -e FOO=bar -e ZED='q r' --log-opt labels=a,nope"
                + " --log-opt labels-regex='^b' --log-opt env=FOO --log-opt env-regex='^Z' --log-opt tag='{{.Name}}/{{.ImageName}}/{{upper .Name}}' "
                + BusyboxImage.NAME + " echo hi", "docker logs --details details", "docker rm details");
    }

    @Test void nothingIsReadOfDriverNone() {
        engines.agreeOn("docker run --name none --network none --log-driver none " + BusyboxImage.NAME + " echo hi", "docker logs none",
                "docker inspect -f '{{json .HostConfig.LogConfig}} {{.LogPath}}' none", "docker rm none");
    }

    @Test void aLocalLogIsReadTheSame() {
        String script = "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done; echo; head -c 40000 /dev/zero | tr '\\0' a; printf noend";
        engines.agreeOn("docker run --name local --network none --log-driver local " + BusyboxImage.NAME + " sh -c \"" + script.replace("$", "\\$")
                .replace("\\0", "\\\\0") + "\" | md5sum", "docker logs local | md5sum", "docker logs --tail 5 local | cut -c1-20",
                "docker logs --tail 0 local", "docker inspect -f '{{json .HostConfig.LogConfig}} {{.LogPath}}' local", "docker rm local");
    }

    @Test void rotatedFilesAreCompressedAndReadAsOne() {
        for (String driver : List.of("json-file", "local")) {
            engines.both("docker run --name turned --network none --log-driver " + driver + " --log-opt max-size=10k --log-opt max-file=100"
                    + " --log-opt compress=true " + BusyboxImage.NAME + " seq 3000");
            var logs = SideBySide.shell(engines.ours, "docker logs turned");
            assertEquals(3000, logs.succeeded().lines().count());
            assertEquals("3000", logs.succeeded().lines().reduce((_, last) -> last).orElseThrow());
            assertEquals("2998\n2999\n3000", SideBySide.shell(engines.ours, "docker logs --tail 3 turned").succeeded().strip());
            engines.both("docker rm turned");
        }
    }

    /// Taken over by dockerd, a log of ours is read as it was written, and the other way round.
    @Test void dockerdReadsOurLogsAndWeReadDockerds() throws IOException {
        Engine engine = engines.ours;
        for (String driver : List.of("json-file", "local")) {
            var docker = engine.docker();
            docker.run("run", "--name", "ours-" + driver, "--network", "none", "--log-driver", driver, "--log-opt", "max-size=10k", "--log-opt",
                    "max-file=50", "--log-opt", "compress=true", BusyboxImage.NAME, "sh", "-c",
                    "seq 1000; head -c 40000 /dev/zero | tr '\\0' b; echo; printf '\\377\\001\\n'").succeeded();
        }
        String ours = logs(engine.docker(), "ours-json-file");
        assertEquals(ours.replace("\ufffd", "?"), logs(engine.docker(), "ours-local").replace("\ufffd", "?"));
        engine.stopDaemon();
        try (var dockerd = Dockerd.start(engine, engine.data())) {
            for (String driver : List.of("json-file", "local")) {
                // Of a line in pieces, its reader of `local` forgets the newline, also of its own.
                String expected = driver.equals("local") ? ours.replace("b\n", "b") : ours;
                assertEquals(expected.replace("\ufffd", "?"), logs(dockerd.docker(), "ours-" + driver).replace("\ufffd", "?"), driver);
                dockerd.docker().run("run", "--name", "theirs-" + driver, "--network", "none", "--log-driver", driver, "--log-opt", "max-size=10k",
                        "--log-opt", "max-file=50", "--log-opt", "compress=true", BusyboxImage.NAME, "sh", "-c",
                        "seq 1000; head -c 40000 /dev/zero | tr '\\0' b; echo; echo end").succeeded();
            }
        } finally {
            engine.startDaemon();
        }
        String theirs = logs(engine.docker(), "theirs-json-file");
        assertTrue(theirs.startsWith("1\n2\n") && theirs.endsWith("bb\nend\n"), theirs.substring(0, 20));
        assertEquals(theirs, logs(engine.docker(), "theirs-local"));
        engine.docker().run("rm", "ours-json-file", "ours-local", "theirs-json-file", "theirs-local").succeeded();
    }

    private static String logs(DockerCli docker, String container) {
        return docker.run("logs", container).endedWith(0).out();
    }

    @Test void whatOneContainerWritesWithoutANewlineTakesNoMemory() throws IOException {
        String script = "head -c 200000000 /dev/zero | tr '\\0' z";
        try (var container = engines.ours.docker().background("--network", "none", "--log-opt", "max-size=5m", BusyboxImage.NAME, "sh", "-c", script)) {
            long most = 0;
            var waiting = engines.ours.docker().start("wait", container.id());
            while (waiting.isAlive()) most = Math.max(most, shimResident());
            assertTrue(most < 80_000, "the shim took " + most + " KB");
            Path log = Path.of(container.inspect("{{.LogPath}}"));
            assertTrue(Files.size(log) < 5_300_000, "the log has " + Files.size(log));
        }
    }

    /// KB of memory that is the shim's own.
    private long shimResident() throws IOException {
        for (var process : engines.ours.processes()) {
            if (!Engine.commandLine(process).contains("balena-engine-shim")) continue;
            try {
                return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream().filter(line -> line.startsWith("RssAnon:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElse(0);
            } catch (java.nio.file.NoSuchFileException e) {
                return 0;
            }
        }
        return 0;
    }
}
