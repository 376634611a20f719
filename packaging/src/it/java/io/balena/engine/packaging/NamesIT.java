package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Names of containers on networks of the user's own, beside dockerd 20.10 and alone: real namespaces, real questions.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NamesIT {
    private static final Path PROGRAMS = Path.of("src/it/dns").toAbsolutePath();
    private static final String RUN = "docker run --pull never -d ";
    private static final String ASK = "ask() { local pid=$(docker inspect -f '{{.State.Pid}}' $1); shift; nsenter -t $pid -n dig +time=15 +tries=1 @127.0.0.11 \"$@\""
            + " | grep -vE '^;; (Query|WHEN|SERVER|MSG)|^; <<|^$|global' | sed -E 's/id: [0-9]*//'; }; ";

    private SideBySide engines;
    private Engine engine;
    private final List<Process> servers = new ArrayList<>();

    @BeforeAll void start() {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dig")), "needs dig");
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        engine = engines.ours;
        engines.both("tar -C " + BusyboxImage.tree(engine) + " -c . | docker import -c 'CMD [\"sh\"]' - base:1",
                "docker network create --subnet 10.9.0.0/24 front", "docker network create --subnet 10.9.1.0/24 back");
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @AfterEach void forget() {
        servers.forEach(Process::destroyForcibly);
        servers.clear();
        engines.both("docker ps -aq | while read id; do docker rm -f $id; done");
    }

    private String ours(String step) {
        return SideBySide.shell(engine, ASK + step).out().strip();
    }

    /// A server in the engine's own network: containers reach it as their gateway.
    private void serve(String address, int mark) throws IOException {
        var process = new ProcessBuilder(engine.inside("python3", PROGRAMS + "/server.py", address, Integer.toString(mark)).words())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        servers.add(process);
        assertEquals("ready", process.inputReader().readLine());
    }

    @Test void questionsAreAnsweredTheSame() {
        engines.agreeOn(RUN + "--name web --network front --network-alias www --network-alias all base:1 sleep 1000",
                RUN + "--name two --network front --network-alias all base:1 sleep 1000",
                "docker exec two cat /etc/resolv.conf", ASK + "ask two web; ask two WeB; ask two www; ask two web.front; ask two web AAAA; ask two web MX",
                ASK + "ask two web +tcp; ask two -x 10.9.0.2; ask two -x 10.9.0.3; ask two two +short",
                ASK + "ask two all | grep 600 | sort", ASK + "ask two $(docker inspect -f '{{.Id}}' web | cut -c1-12) +short",
                "docker exec two ping -c1 -W5 web | head -1",
                "nsenter -t $(docker inspect -f '{{.State.Pid}}' two) -n iptables-save -t nat | grep ^-A | sed -E 's/:[0-9]{5}|port [0-9]{5}/:PORT/g'",
                "docker network connect --alias other back web", "docker network connect back two", ASK + "ask two other +short; ask two -x 10.9.1.2 +short",
                "docker network disconnect back web", ASK + "ask two web +short", "docker rename web renamed", ASK + "ask two renamed +short",
                "docker stop -t 0 renamed");
    }

    @Test void resolvConfIsTheSame() {
        engines.agreeOn(RUN + "--name a --network front --dns 10.9.0.1 --dns-search x.y --dns-search z --dns-opt timeout:1 base:1 sleep 1000",
                RUN + "--name b --network front --dns-opt ndots:2 base:1 sleep 1000", RUN + "--name c --network none base:1 sleep 1000",
                RUN + "--name d --network container:a base:1 sleep 1000",
                "for i in a b d; do docker exec $i cat /etc/resolv.conf; done");
    }

    @Test void othersNamesAreAskedForOneServerAfterTheOther() throws IOException {
        serve("10.9.0.1", 1);
        ours(RUN + "--name one --network front --dns 10.9.0.9 --dns 10.9.0.1 base:1 sleep 1000");
        ours(RUN + "--name two --network front --dns 10.9.0.1 base:1 sleep 1000");
        assertEquals("192.0.2.1", ours("ask two some.example +short"));
        assertEquals("192.0.2.1", ours("ask one some.example +short"), "after four seconds for one who does not answer");
        assertTrue(ours("ask two no.example").contains("status: NXDOMAIN"));
        assertTrue(ours("ask two fail.example").contains("status: SERVFAIL"));
        assertTrue(ours("ask two none.example").contains("status: SERVFAIL"), "when nobody answers");
        assertEquals("192.0.2.1", ours("ask two lie.example +short"), "an answer to something else is none");
        assertTrue(ours("ask two loop.example").matches("(?s).*(bad|malformed).*"), "is handed on, for the asker to see");
        assertEquals("100", ours("ask two txt.example TXT | grep -c ttt"), "through a stream, when the datagram says so");
    }

    @Test void whoeverIsOnInternalNetworksAloneReachesNobodyOutside() throws IOException {
        serve("10.9.0.1", 1);
        ours("docker network create --internal --subnet 10.9.2.0/24 inner");
        try {
            ours(RUN + "--name shut --network inner --dns 10.9.0.1 base:1 sleep 1000");
            ours(RUN + "--name peer --network inner base:1 sleep 1000");
            assertTrue(ours("ask shut some.example").contains("status: SERVFAIL"));
            assertEquals("10.9.2.3", ours("ask shut peer +short"));
            ours("docker network connect front shut");
            assertEquals("192.0.2.1", ours("ask shut some.example +short"), "now it is on another, too");
        } finally {
            ours("docker rm -f shut peer; docker network rm inner");
        }
    }

    @Test void aContainerMayHaveANameServerOfItsOwn() throws IOException {
        ours(RUN + "--name server --network front base:1 sleep 1000; " + RUN + "--name asker --network front base:1 sleep 1000");
        var pid = ours("docker inspect -f '{{.State.Pid}}' server");
        var process = new ProcessBuilder("nsenter", "-t", pid, "-n", "python3", PROGRAMS + "/server.py", "0.0.0.0", "53").start();
        servers.add(process);
        assertEquals("ready", process.inputReader().readLine(), "port 53 is free");
        assertEquals("10.9.0.3", ours("ask server asker +short"));
        assertEquals("192.0.2.53", ours("nsenter -t $(docker inspect -f '{{.State.Pid}}' asker) -n dig +short @10.9.0.2 x.example"));
    }

    @Test void manyQuestionsASecondAreAllAnsweredRightly() throws IOException {
        serve("10.9.0.1", 1);
        ours(RUN + "--name web --network front base:1 sleep 1000; " + RUN + "--name asker --network front --dns 10.9.0.1 base:1 sleep 1000");
        assertEquals("1500 right, 0 wrong, 0 unanswered", ours("nsenter -t $(docker inspect -f '{{.State.Pid}}' asker) -n python3 " + PROGRAMS
                + "/load.py 3 500 web=10.9.0.2 asker=10.9.0.3 web.front=10.9.0.2 out.example=192.0.2.1"));
    }

    @Test void hostileBytesKeepNobodyFromBeingAnswered() {
        ours(RUN + "--name web --network front base:1 sleep 1000");
        String inside = "nsenter -t $(docker inspect -f '{{.State.Pid}}' web) -n ";
        ours("for i in $(seq 30); do head -c $((RANDOM % 3000)) /dev/urandom | " + inside + "timeout 1 socat -u - UDP4-SENDTO:127.0.0.11:53;"
                + " head -c 3000 /dev/urandom | " + inside + "timeout 0.2 socat -u - TCP4:127.0.0.11:53; done 2>/dev/null");
        // Connections that say nothing take no more than their share.
        ours("for i in $(seq 40); do " + inside + "timeout 3 socat -u TCP4:127.0.0.11:53 - & done; sleep 0.3; " + inside
                + "dig +short +time=15 @127.0.0.11 web >/dev/null; wait");
        assertEquals("10.9.0.2", ours("ask web web +short"));
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> ours("ask web web +short +tcp +time=2").equals("10.9.0.2")));
    }

    @Test void namesAreFoundWhileNoDaemonRunsAndAfterTheShimDied() {
        ours(RUN + "--name web --network front base:1 sleep 1000; " + RUN + "--name asker --network front base:1 sleep 1000;"
                + RUN + "--name mortal --network front base:1 sleep 1000");
        var pids = ours("for i in asker mortal; do docker inspect -f '{{.State.Pid}}' $i; done").split("\n");
        engine.killDaemon();
        assertEquals("10.9.0.2", dig(pids[0], "web"));
        Command.of("kill", "-9", pids[1]).run().succeeded();
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> !dig(pids[0], "mortal").equals("10.9.0.4")), "whose container has ended is not found");
        engine.startDaemon();
        assertEquals("10.9.0.2", dig(pids[0], "web"));
        engine.killShim();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> dig(pids[0], "web").equals("10.9.0.2")), "the next one has the names as well");
        assertEquals(2, Arrays.stream(ours("nsenter -t " + pids[0] + " -n iptables-save -t nat").split("\n")).filter(line -> line.startsWith("-A DOCKER_OUTPUT")).count());
        engine.killAll();
        engine.startDaemon();
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> dig(pids[0], "web").equals("10.9.0.2")), "both at once");
        ours(RUN + "--name late --network front base:1 sleep 1000");
        assertFalse(dig(pids[0], "late").isEmpty());
    }

    private static String dig(String pid, String name) {
        return Command.of("nsenter", "-t", pid, "-n", "dig", "+short", "+time=2", "+tries=1", "@127.0.0.11", name).run().out().strip();
    }
}
