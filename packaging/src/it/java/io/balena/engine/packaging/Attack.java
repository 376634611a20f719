package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;

/// A hostile process that works in a container while others are started: one of those in `attack.py`.
final class Attack implements AutoCloseable {
    private final DockerCli.RunningContainer container;

    private Attack(DockerCli.RunningContainer container) {
        this.container = container;
        assertTrue(Engine.become(Duration.ofSeconds(60), () -> said().contains("ready")), () -> "the attack does not begin: " + said());
    }

    /// @param options of `docker run`, the image, the name of the attack and its arguments
    static Attack start(DockerCli docker, List<String> options, String... attack) {
        // On a small machine it is to leave room for those that it attacks.
        var command = new java.util.ArrayList<>(List.of("--network", "none", "--cpus", "0.5"));
        command.addAll(options);
        command.addAll(List.of(ProbeImage.NAME, "python3", "/attack.py"));
        command.addAll(List.of(attack));
        return new Attack(docker.background(command.toArray(String[]::new)));
    }

    /// Runs an attack to its end.
    static String run(DockerCli docker, List<String> options, String... attack) {
        return docker.command("run", "--rm", "--network", "none").and(options.toArray(String[]::new))
                .and(ProbeImage.NAME, "python3", "/attack.py").and(attack).run().succeeded();
    }

    DockerCli.RunningContainer container() {
        return container;
    }

    List<String> said() {
        var logs = container.docker().run("logs", container.id());
        return (logs.out() + logs.err()).lines().toList();
    }

    /// What it says when it succeeds.
    List<String> successes(String word) {
        return said().stream().filter(line -> line.startsWith(word + " ")).toList();
    }

    @Override public void close() {
        container.close();
    }
}
