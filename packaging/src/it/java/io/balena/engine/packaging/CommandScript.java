package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// The commands of `docker-commands`, run one after another by one shell.
final class CommandScript {
    private static final String DIFFERS = "differs: ";

    /// @param reason why it does not say the same with ours as with dockerd; empty where it must
    record Line(String command, String reason) {}

    private final List<Line> lines;

    private CommandScript(List<Line> lines) {
        this.lines = lines;
    }

    static CommandScript read() {
        var lines = new ArrayList<Line>();
        String reason = "";
        try {
            for (String each : Files.readAllLines(Path.of("src/it/docker-commands"))) {
                if (each.isBlank() || each.startsWith("#")) continue;
                if (each.startsWith(DIFFERS)) {
                    reason = each.substring(DIFFERS.length());
                } else {
                    lines.add(new Line(each, reason));
                    reason = "";
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new CommandScript(List.copyOf(lines));
    }

    List<Line> lines() {
        return lines;
    }

    /// What each line says and how it ends, without ids and times, in the order of [#lines].
    List<String> run(Path client, Engine engine) {
        return run(client, engine.socket(), engine.scratch());
    }

    /// @param folder an empty one, for what the commands say and for files of theirs
    List<String> run(Path client, Path socket, Path folder) {
        var script = new StringBuilder("docker() { command " + client + " -H unix://" + socket + " \"$@\"; }\ncd " + folder + "\n");
        for (int i = 0; i < lines.size(); i++) {
            script.append("{ ").append(lines.get(i).command.replace("FOLDER", folder.toString())).append("\n} >%1$d.out 2>%1$d.err </dev/null; echo $? >%1$d.status\n".formatted(i));
        }
        Command.of("bash", "-c", script.toString()).with("DOCKER_API_VERSION", "1.41").within(Duration.ofMinutes(10)).run();
        var said = new ArrayList<String>();
        for (int i = 0; i < lines.size(); i++) said.add(said(folder, i));
        return said;
    }

    private String said(Path folder, int number) {
        try {
            String all = Files.readString(folder.resolve(number + ".out")) + "[errors]\n" + Files.readString(folder.resolve(number + ".err"));
            // The client may or may not see that the container is gone for which it waits already.
            String steady = all.replace(folder.toString(), "FOLDER").replaceAll("time=\\S+ level=error msg=\"error waiting for container: context canceled\"\n", "");
            return SideBySide.normalised(lines.get(number).command, steady) + "-> " + Files.readString(folder.resolve(number + ".status")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
