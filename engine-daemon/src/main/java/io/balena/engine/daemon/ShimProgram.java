package io.balena.engine.daemon;

import io.balena.engine.runtime.client.ShimCommand;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// How the shim is started: by its launcher beside ours, or, in an uninstalled build, by the same Java with the same class path.
final class ShimProgram {
    private static final String LAUNCHER = "bin/balena-engine-shim";

    private ShimProgram() {}

    static ShimCommand command() {
        String home = System.getProperty("balena.engine.home", "");
        Path launcher = Path.of(home, LAUNCHER);
        if (!home.isEmpty() && Files.isExecutable(launcher)) return new ShimCommand(List.of(launcher.toString()));
        return new ShimCommand(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-Xint", "-XX:+UseSerialGC", "-Xmx24m",
                "-Xss256k", "-XX:-UsePerfData", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                "io.balena.engine.runtime.shim.ShimMain"));
    }
}
