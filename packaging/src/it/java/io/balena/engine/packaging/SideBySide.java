package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Our engine and Debian's dockerd, given the same commands; what they print must be the same but for ids and times.
final class SideBySide implements AutoCloseable {
    final Engine ours;
    final Engine theirs;

    private SideBySide(Engine ours, Engine theirs) {
        this.ours = ours;
        this.theirs = theirs;
    }

    /// @param flags for both, besides those for having no bridge
    static SideBySide start(String... flags) {
        return start(List.of(flags), List.of(flags));
    }

    /// @param theirFlags what dockerd alone is told
    static SideBySide startTelling(String... theirFlags) {
        return start(List.of(), List.of(theirFlags));
    }

    /// With networks, each in a machine of its own. Like ours, dockerd has no process for each published port then.
    static SideBySide startWithNetworks(String... flags) {
        return startTogether(List.of(flags), with(List.of(flags), "--userland-proxy=false"));
    }

    private static SideBySide start(List<String> ourFlags, List<String> theirFlags) {
        return startTogether(List.of(with(ourFlags, "--bridge=none")), with(theirFlags, "--bridge=none", "--iptables=false"));
    }

    private static SideBySide startTogether(List<String> ourFlags, String... theirFlags) {
        Engine theirs = Engine.startDockerd(theirFlags);
        try {
            return new SideBySide(Engine.start(ourFlags.toArray(String[]::new)), theirs);
        } catch (RuntimeException | Error e) {
            theirs.close();
            throw e;
        }
    }

    private static String[] with(List<String> flags, String... more) {
        return Stream.concat(flags.stream(), Stream.of(more)).toArray(String[]::new);
    }

    /// Each a line for the shell, where `docker` and `curl` (with paths only) mean one of the engines.
    void agreeOn(String... steps) {
        List<String> expected = new ArrayList<>();
        List<String> actual = new ArrayList<>();
        for (String step : steps) {
            expected.add(transcript(theirs, step));
            actual.add(transcript(ours, step));
        }
        assertEquals(String.join("\n", expected), String.join("\n", actual));
    }

    private static String transcript(Engine engine, String step) {
        Outcome outcome = shell(engine, step);
        return "$ " + step + "\n" + normalised(step, outcome.out() + outcome.err()) + "-> " + outcome.status();
    }

    /// The same for both, without comparing.
    void both(String... steps) {
        for (String step : steps) {
            shell(theirs, step).succeeded();
            shell(ours, step).succeeded();
        }
    }

    static Outcome shell(Engine engine, String step) {
        return Command.of("bash", "-c", names(engine) + step).with("DOCKER_API_VERSION", "1.41").run();
    }

    /// What the shell is to know by which names.
    static String names(Engine engine) {
        return """
                docker() { command %s -H unix://%s "$@"; }
                api() { local path=$1; shift; curl -s --unix-socket %s "$@" "http://docker/v1.41$path"; }
                machine() { nsenter --net=/run/netns/%s "$@"; }
                """.formatted(DockerCli.newest(), engine.socket(), engine.socket(), engine.networkNamespace());
    }

    private static String normalised(String step, String text) {
        String plain = text.replaceAll("[0-9a-f]{64}", "ID").replaceAll("\\b[0-9a-f]{12}\\b", "ID")
                .replaceAll("\\d{4}-\\d\\d-\\d\\dT[0-9:.]+Z", "TIME")
                .replaceAll("(Less than a second|\\d+ seconds?|About a minute|\\d+ minutes?)( ago)?", "AGO")
                .replaceAll("Up AGO", "UP").replaceAll("/tmp/balena-it-[0-9-]+", "ROOT")
                .replaceAll("\"(DockerVersion|docker_version)\": ?\"[^\"]*\"", "VERSION").replaceAll(" {2,}", " ");
        // Rows of images made in the same second, and what the command line takes from maps, come in any order.
        if (step.matches(".*docker (images|image prune|system df|system prune).*")) plain = sorted(plain);
        return plain.isEmpty() || plain.endsWith("\n") ? plain : plain + "\n";
    }

    private static String sorted(String lines) {
        return Arrays.stream(lines.split("\n")).map(String::strip).sorted().collect(Collectors.joining("\n"));
    }

    @Override public void close() {
        try (theirs; ours) {
            // Both, whatever happens to one.
        }
    }
}
