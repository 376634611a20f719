package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The program that runs as the first process of containers with `--init`, reaps orphans there and passes signals on: tini, by one of
/// its names. It is the host's, mounted where Docker has it.
///
/// @param byDefault for containers that do not say
/// @param path where it is; empty to look for it on `PATH`
public record InitProgram(boolean byDefault, Optional<String> path) {
    /// Ours, Docker's, and what Debian's package holds: first the one that needs no libraries of a container.
    private static final List<String> NAMES = List.of("balena-engine-init", "docker-init", "tini-static", "tini");
    private static final String USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static final String INSIDE = "/sbin/docker-init";

    /// A container in another's pid namespace has no first process of its own.
    boolean isFor(HostConfig host) {
        return host.text("PidMode").isEmpty() && host.init().orElse(byDefault);
    }

    static List<String> before(List<String> arguments) {
        List<String> all = new ArrayList<>(List.of(INSIDE, "--"));
        all.addAll(arguments);
        return all;
    }

    /// @throws SystemFailure in Docker's words, when there is none
    RuntimeSpec.Mount mount() {
        String program = path.or(() -> found().map(Path::toString))
                .orElseThrow(() -> new SystemFailure("exec: \"docker-init\": executable file not found in $PATH", null));
        return new RuntimeSpec.Mount(INSIDE, "bind", program, List.of("bind", "ro"));
    }

    /// The path that was given, or the name by which it is found, for `/info`.
    public String shown() {
        return path.or(() -> found().map(program -> program.getFileName().toString())).orElse("docker-init");
    }

    private static Optional<Path> found() {
        String folders = Optional.ofNullable(System.getenv("PATH")).filter(text -> !text.isEmpty()).orElse(USUAL_PATH);
        for (String name : NAMES) {
            for (String folder : folders.split(":")) {
                Path program = Path.of(folder, name);
                if (program.isAbsolute() && Files.isRegularFile(program) && Files.isExecutable(program)) return Optional.of(program);
            }
        }
        return Optional.empty();
    }
}
