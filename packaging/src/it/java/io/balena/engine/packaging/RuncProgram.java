package io.balena.engine.packaging;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// An OCI runtime's command with a state folder of its own.
record RuncProgram(String program, Path root) {
    private static final Pattern MESSAGE = Pattern.compile("level=error msg=\"(.*)\"");

    static RuncProgram ours(Path folder) {
        return new RuncProgram(Path.of(System.getProperty("engine.dist")).toAbsolutePath() + "/bin/balena-engine-runc", folder.resolve("ours"));
    }

    static RuncProgram debians(Path folder) {
        return new RuncProgram("runc", folder.resolve("runc"));
    }

    Command command(String... words) {
        return Command.of(program, "--root", root.toString()).and(words);
    }

    Outcome run(String... words) {
        return command(words).run();
    }

    /// How a verb ended: exit code, output and error, without what differs from run to run.
    String answer(String... words) {
        var outcome = run(words);
        var message = MESSAGE.matcher(outcome.err());
        String error = message.find() ? message.group(1) : outcome.err();
        return outcome.status() + "|" + outcome.out() + "|" + error;
    }

    String status(String id) throws IOException {
        return RuncBundle.JSON.readTree(run("state", id).succeeded()).get("status").asText();
    }

    /// All it has left anywhere of a container: state, control groups, mounts of the bundle.
    List<String> traces(String id, Path bundle) throws IOException {
        List<String> traces = new ArrayList<>();
        if (Files.exists(root.resolve(id))) traces.add(root.resolve(id).toString());
        try (Stream<Path> hierarchies = Files.list(Path.of("/sys/fs/cgroup"))) {
            hierarchies.map(hierarchy -> hierarchy.resolve(id)).filter(Files::exists).map(Path::toString).forEach(traces::add);
        }
        for (String mount : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            if (mount.contains(bundle.toString())) traces.add(mount);
        }
        return traces;
    }
}
