package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Log driver journald, with a real journal.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JournaldIT {
    private Journald journal;
    private Engine engine;
    private DockerCli docker;

    @BeforeAll void start() {
        Engine.assumeRunnable();
        BusyboxImage.assumePossible();
        journal = Journald.start();
        engine = Engine.startWithin(journal.within(), "--bridge=none", "--log-driver=journald");
        BusyboxImage.importInto(engine);
        docker = engine.docker();
    }

    @AfterAll void stop() {
        if (engine != null) engine.close();
        if (journal != null) journal.close();
    }

    private List<JsonNode> entries(String match) throws IOException {
        List<JsonNode> entries = new ArrayList<>();
        journal.command("journalctl", "--sync").run().succeeded();
        String lines = journal.command("journalctl", "--quiet", "--all", "--no-pager", "--output=json", match).run().succeeded();
        for (String line : lines.lines().toList()) entries.add(new ObjectMapper().readTree(line));
        return entries;
    }

    /// The fields dockerd 20.10.24 sent for such a container.
    @Test void anEntryHasTheFieldsThatDockerGivesIt() throws IOException {
        docker.run("run", "--name", "fields", "--network", "none", "--label", "a.b=1", "--label", "_x=2", "-e", "FOO=bar", "--log-opt", "labels=a.b,_x",
                "--log-opt", "env=FOO", "--log-opt", "tag={{.Name}}/x", BusyboxImage.NAME, "sh", "-c", "echo hi; sleep 0.1; echo err >&2").succeeded();
        String id = docker.run("inspect", "-f", "{{.Id}}", "fields").succeeded();
        List<JsonNode> entries = entries("CONTAINER_NAME=fields");
        assertEquals(2, entries.size());
        Map<String, String> expected = new TreeMap<>(Map.of("A_B", "1", "X", "2", "FOO", "bar", "CONTAINER_ID", id.substring(0, 12), "CONTAINER_ID_FULL", id,
                "CONTAINER_NAME", "fields", "CONTAINER_TAG", "fields/x", "SYSLOG_IDENTIFIER", "fields/x", "IMAGE_NAME", BusyboxImage.NAME));
        for (String[] each : new String[][] {{"hi", "6"}, {"err", "3"}}) {
            expected.put("MESSAGE", each[0]);
            expected.put("PRIORITY", each[1]);
            assertEquals(expected, ownFields(entries.get(each[1].equals("6") ? 0 : 1)));
        }
        docker.run("rm", "fields").succeeded();
    }

    private static Map<String, String> ownFields(JsonNode entry) {
        Map<String, String> fields = new TreeMap<>();
        entry.properties().forEach(field -> {
            if (!field.getKey().startsWith("_")) fields.put(field.getKey(), field.getValue().asText());
        });
        return fields;
    }

    /// The journal finds the unit of an entry by its sender's cgroup.
    @Test void theSenderIsInTheCgroupOfTheDaemon() throws IOException {
        docker.run("run", "--name", "sender", "--network", "none", BusyboxImage.NAME, "echo", "x").succeeded();
        String sender = entries("CONTAINER_NAME=sender").getFirst().get("_PID").asText();
        assertEquals(Files.readString(Path.of("/proc/" + engine.daemon().pid() + "/cgroup")), Files.readString(Path.of("/proc/" + sender + "/cgroup")));
        docker.run("rm", "sender").succeeded();
    }

    @Test void aLongLineIsRecordedInPiecesAndReadAsOne() throws IOException {
        docker.run("run", "--name", "long", "--network", "none", BusyboxImage.NAME, "sh", "-c", "head -c 40000 /dev/zero | tr '\\0' a; echo").succeeded();
        assertEquals("a".repeat(40_000) + "\n", docker.run("logs", "long").out());
        List<JsonNode> pieces = entries("CONTAINER_NAME=long");
        assertEquals(List.of("1 false true", "2 false true", "3 true null"), pieces.stream().map(piece -> piece.get("CONTAINER_PARTIAL_ORDINAL").asText()
                + " " + piece.get("CONTAINER_PARTIAL_LAST").asText() + " " + (piece.has("CONTAINER_PARTIAL_MESSAGE") ? "true" : "null")).toList());
        docker.run("rm", "long").succeeded();
    }

    @Test void logsAreReadBack() {
        docker.run("run", "--name", "back", "--network", "none", BusyboxImage.NAME, "sh", "-c",
                "seq 5; printf '\\377\\001\\n'; echo; sleep 0.1; echo err >&2").succeeded();
        var logs = docker.run("logs", "back");
        assertEquals("err\n", logs.err());
        assertEquals("1\n2\n3\n4\n5\n", logs.out().substring(0, 10));
        assertEquals(9, (logs.out() + logs.err()).lines().count() + 1);
        assertEquals("err\n", docker.run("logs", "--tail", "1", "back").err());
        var lines = docker.run("logs", "-t", "back").out().lines().toList();
        assertEquals(lines.get(2), docker.run("logs", "-t", "--since", lines.get(2).split(" ")[0], "--until", lines.get(2).split(" ")[0], "back")
                .out().lines().filter(line -> line.endsWith(" 3")).findFirst().orElse(""));
        docker.run("rm", "back").succeeded();
    }

    @Test void followingEndsWithTheContainerAfterItsLastWord() {
        docker.run("run", "-d", "--name", "follow", "--network", "none", BusyboxImage.NAME, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.5; done").succeeded();
        assertEquals("1\n2\n3", docker.run("logs", "-f", "follow").succeeded());
        docker.run("rm", "follow").succeeded();
    }

    @Test void aContainerSurvivesThatTheJournalIsStartedAnew() throws IOException {
        docker.run("run", "-d", "--name", "anew", "--network", "none", BusyboxImage.NAME, "sh", "-c",
                "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done").succeeded();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> docker.run("logs", "anew").out().lines().count() > 10));
        journal.stopJournald();
        journal.startJournald();
        long before = last(docker.run("logs", "--tail", "1", "anew").out());
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> last(docker.run("logs", "--tail", "1", "anew").out()) > before + 20));
        long previous = 0;
        for (String line : docker.run("logs", "anew").out().lines().toList()) {
            assertTrue(Long.parseLong(line) > previous, line + " after " + previous);
            previous = Long.parseLong(line);
        }
        docker.run("rm", "-f", "anew").succeeded();
    }

    private static long last(String line) {
        return line.isBlank() ? 0 : Long.parseLong(line.strip());
    }
}
