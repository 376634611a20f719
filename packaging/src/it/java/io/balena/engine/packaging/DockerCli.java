package io.balena.engine.packaging;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// A docker command line that talks to one engine.
///
/// @param networkNamespace where to run it, for listeners on that namespace's loopback address; `null` for ours
record DockerCli(Path program, String host, String networkNamespace) {

    /// Those on this machine, the newest first: 28.2.2 may be in /usr/local, Debian's 20.10 in /usr.
    static List<Path> installed() {
        return List.of(Path.of("/usr/local/bin/docker"), Path.of("/usr/bin/docker")).stream().filter(Files::isExecutable).toList();
    }

    static Path newest() {
        return installed().isEmpty() ? null : installed().getFirst();
    }

    Command command(String... arguments) {
        var command = networkNamespace == null ? Command.of() : Command.of("nsenter", "--net=/run/netns/" + networkNamespace);
        return command.and(program.toString(), "-H", host).and(arguments);
    }

    Outcome run(String... arguments) {
        return command(arguments).run();
    }

    Outcome run(InputStream input, String... arguments) {
        return command(arguments).run(input);
    }

    Process start(String... arguments) {
        return command(arguments).start();
    }

    /// Starts a container in the background.
    ///
    /// @return its id; it is removed, running or not, when closed
    RunningContainer background(String... arguments) {
        return new RunningContainer(this, command("run", "-d").and(arguments).run().succeeded());
    }

    record RunningContainer(DockerCli docker, String id) implements AutoCloseable {
        String inspect(String template) {
            return docker.run("inspect", "-f", template, id).succeeded();
        }

        Outcome exec(String... words) {
            return docker.command("exec", id).and(words).run();
        }

        @Override public void close() {
            docker.run("rm", "-f", id);
        }
    }
}
