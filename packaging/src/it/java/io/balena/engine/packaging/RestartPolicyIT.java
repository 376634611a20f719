package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// When containers that ended are started again, and how containers end; beside dockerd where it is exact.
@ExtendWith({SharedEngine.class, SharedSideBySide.class})
class RestartPolicyIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    @Test void policiesStopsAndSignalsAreAsDockers(SideBySide both) {
        String create = "api /containers/create -H 'Content-Type: application/json' -d '{\"Image\":\"busybox:it\",\"HostConfig\":{\"RestartPolicy\":%s}}'";
        List<String> steps = new ArrayList<>();
        for (String policy : List.of("{\"Name\":\"bogus\"}", "{\"Name\":\"always\",\"MaximumRetryCount\":3}", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":-1}",
                "{\"Name\":\"no\",\"MaximumRetryCount\":1}", "{\"Name\":\"unless-stopped\",\"MaximumRetryCount\":1}")) {
            steps.add(create.formatted(policy));
        }
        steps.add("api /containers/create -H 'Content-Type: application/json' -d '{\"Image\":\"busybox:it\",\"HostConfig\":{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}}'");
        steps.addAll(List.of(
                "docker run -d --restart on-failure:2 --name tried busybox:it sh -c 'exit 3'",
                "until [ \"$(docker inspect -f '{{.RestartCount}} {{.State.Status}}' tried)\" = '2 exited' ]; do :; done; docker inspect -f '{{.State.ExitCode}} {{.State.Restarting}}' tried",
                "docker run -d --restart on-failure --name content busybox:it true; docker wait content; docker inspect -f '{{.RestartCount}} {{.State.Status}}' content",
                "docker run -d --restart always --name again busybox:it sh -c 'sleep 0.2; exit 4'",
                "until [ $(docker inspect -f '{{.RestartCount}}' again) -ge 4 ]; do :; done; docker stop again; docker inspect -f '{{.State.Status}} {{.State.Restarting}}' again",
                "docker run -d --restart always --name killed busybox:it sleep 1000; docker kill killed; docker wait killed; docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' killed",
                "docker run -d --name paused busybox:it sleep 1000; docker pause paused; docker kill -s HUP paused; docker inspect -f '{{.State.Status}}' paused",
                "docker pause paused; docker stop -t 1 paused; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' paused",
                "docker run -d --name own --stop-signal USR1 busybox:it sleep 1000; docker pause own; docker kill -s HUP own; docker inspect -f '{{.State.Status}}' own",
                "docker kill own; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' own",
                "docker run -d --name gone --rm busybox:it sleep 1000; docker update --restart always gone; docker update --restart bogus gone; docker update --restart on-failure:-1 gone; docker rm -f gone",
                "docker run -d --name later busybox:it sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 2'; docker update --restart on-failure:1 later; docker exec later touch /go",
                "until [ \"$(docker inspect -f '{{.RestartCount}} {{.State.Status}}' later)\" = '1 exited' ]; do :; done; docker inspect -f '{{.State.ExitCode}} {{json .HostConfig.RestartPolicy}}' later"));
        for (String signal : List.of("RTMIN+3", "SIGRTMIN", "34", "rtmax-1", "64", "BOGUS", "0", "sigcld", "SIGUSR2", "12")) {
            steps.add("docker create --stop-signal '" + signal + "' --name signalled busybox:it; docker rm signalled");
        }
        both.agreeOn(steps.toArray(String[]::new));
    }

    @Test void thePauseBetweenRestartsDoubles(Engine engine) {
        var begin = Instant.now();
        try (var container = engine.docker().background("--network", "none", "--restart", "always", BusyboxImage.NAME, "false")) {
            assertTrue(Engine.become(SOON, () -> Integer.parseInt(container.inspect("{{.RestartCount}}")) >= 5));
            // 100 + 200 + 400 + 800 ms have passed before the fifth is even scheduled.
            assertTrue(Duration.between(begin, Instant.now()).toMillis() >= 1500);
            List<Instant> starts = engine.docker().run("events", "--since", begin.toString(), "--until", Instant.now().toString(), "--filter", "container=" + container.id(),
                    "--filter", "event=start", "--format", "{{.TimeNano}}").succeeded().lines().map(nanos -> Instant.ofEpochSecond(0, Long.parseLong(nanos))).toList();
            assertTrue(starts.size() >= 5, starts::toString);
            for (int i = 1; i < 5; i++) {
                long pause = Duration.between(starts.get(i - 1), starts.get(i)).toMillis();
                assertTrue(pause >= 50L << i, i + ": " + pause);
            }
        }
    }

    @Test void aSignalThatDoesNotMeanTheEndLeavesThePolicyInForce(Engine engine) {
        // dockerd forgets its policy at any signal to a container that names no stop signal; a reload is not the end.
        try (var container = engine.docker().background("--network", "none", "--restart", "on-failure:1", BusyboxImage.NAME, "sh", "-c",
                "trap 'exit 5' HUP; while :; do sleep 0.05; done")) {
            assertTrue(Engine.become(SOON, () -> {
                engine.docker().run("kill", "-s", "HUP", container.id());
                return container.inspect("{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}").equals("1 exited 5");
            }));
        }
    }

    @Test void aContainerThatMayTakeForEverToStopIsNotKilled(Engine engine) {
        try (var container = engine.docker().background("--network", "none", "--stop-timeout", "-1", BusyboxImage.NAME, "sh", "-c",
                "trap 'sleep 12; exit 7' TERM; echo ready; while :; do sleep 0.05; done")) {
            assertTrue(Engine.become(SOON, () -> engine.docker().run("logs", container.id()).out().contains("ready")));
            engine.docker().run("stop", container.id()).succeeded();
            assertEquals("7", container.inspect("{{.State.ExitCode}}"));
        }
    }
}
