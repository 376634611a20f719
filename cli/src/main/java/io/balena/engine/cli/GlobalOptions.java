package io.balena.engine.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.util.ArrayList;
import java.util.List;

/// What stands before the command's name. Options that only concern TLS or contexts are accepted and unused so far.
@Command(name = Main.PROGRAM)
final class GlobalOptions {
    @Option(names = {"-H", "--host"}, description = "Daemon socket to connect to")
    List<String> hosts = new ArrayList<>();

    @Option(names = {"-D", "--debug"}, description = "Enable debug mode")
    boolean debug;

    @Option(names = {"-l", "--log-level"}, description = "Set the logging level", hidden = true)
    String logLevel;

    @Option(names = "--config", description = "Location of client config files", hidden = true)
    String config;

    @Option(names = {"-v", "--version"}, description = "Print version information and quit")
    boolean version;

    @Option(names = {"-h", "--help"}, description = "Print usage")
    boolean help;

    @Parameters
    List<String> command = new ArrayList<>();

    /// @throws IllegalArgumentException when more than one engine is named, or one that cannot be read
    EngineAddress engine() {
        if (hosts.size() > 1) throw new IllegalArgumentException("Please specify only one -H");
        var environment = System.getenv("DOCKER_HOST");
        return EngineAddress.parse(!hosts.isEmpty() ? hosts.getFirst()
                : environment != null && !environment.isEmpty() ? environment : EngineAddress.DEFAULT);
    }
}
