package io.balena.engine.cli;

import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/// Finds the command that was asked for and runs it. Only its group of commands is built: the command line should
/// start faster than a person notices.
public final class Main {
    static final String PROGRAM = "balena-engine";

    private enum Group {
        RUN(RunCommands::new, "run", "create", "start", "attach", "exec"),
        CONTAINERS(ContainerCommands::new, "ps", "stop", "restart", "kill", "rm", "wait", "rename", "pause", "unpause",
                "top", "logs", "port"),
        IMAGES(ImageCommands::new, "images", "rmi", "tag", "pull", "import"),
        DELTAS(DeltaCommands::new, DeltaCommands.DELTA),
        SYSTEM(SystemCommands::new, "version", "info", "events", "inspect");

        private final Function<Session, Object> commands;
        private final Set<String> names;

        Group(Function<Session, Object> commands, String... names) {
            this.commands = commands;
            this.names = Set.of(names);
        }

        static Group of(String command) {
            for (var group : values()) if (group.names.contains(command)) return group;
            return null;
        }
    }

    /// `image ls` and its like: the noun's words for the plain commands.
    private static final Map<String, Map<String, List<String>>> NOUNS = Map.of(
            "image", Map.of("ls", List.of("images"), "list", List.of("images"), "rm", List.of("rmi"), "remove", List.of("rmi"),
                    "tag", List.of("tag"), "pull", List.of("pull"), "import", List.of("import"),
                    "inspect", List.of("inspect", "--type", "image"), "delta", List.of(DeltaCommands.DELTA)),
            "container", Map.of("ls", List.of("ps"), "list", List.of("ps"), "ps", List.of("ps"),
                    "inspect", List.of("inspect", "--type", "container")),
            "system", Map.of("info", List.of("info"), "events", List.of("events")));

    /// Commands after whose first word everything belongs to the container.
    private static final Set<String> WITH_A_COMMAND_OF_THEIR_OWN = Set.of("run", "create", "exec", "top");

    private Main() {}

    public static void main(String[] arguments) {
        var console = Console.ofProcess();
        int status = run(console, arguments);
        console.out().flush();
        console.err().flush();
        // Threads that read the terminal or a slow stream must not keep us.
        // And exit() would first set up logging, only to find that nobody wants to know.
        Runtime.getRuntime().halt(status);
    }

    static int run(Console console, String... arguments) {
        String command = null;
        try {
            var global = new GlobalOptions();
            new CommandLine(global).setStopAtPositional(true).setTrimQuotes(false).parseArgs(arguments);
            if (global.version) {
                console.out().println("balenaEngine version " + Version.NUMBER);
                return 0;
            }
            if (global.help || global.command.isEmpty()) {
                usage(console);
                return 0;
            }
            var words = plain(global.command);
            command = words.getFirst();
            var group = Group.of(command);
            if (group == null) {
                console.err().println("balena-engine: '" + String.join(" ", global.command.subList(0, words.size() > 1
                        && NOUNS.containsKey(command) ? 2 : 1)) + "' is not a balena-engine command.\nSee 'balena-engine --help'");
                return 1;
            }
            return commandLine(group, new Session(new EngineClient(global.engine()), console))
                    .execute(BooleanFlags.plain(words.toArray(String[]::new)));
        } catch (ParameterException e) {
            return badUsage(console, e);
        } catch (RuntimeException e) {
            return failed(console, e, command);
        }
    }

    private static CommandLine commandLine(Group group, Session session) {
        var line = new CommandLine(group.commands.apply(session))
                .setTrimQuotes(false)
                .setAllowOptionsAsOptionParameters(true)
                .setUsageHelpAutoWidth(false)
                .setParameterExceptionHandler((e, _) -> badUsage(session.console(), e))
                .setExecutionExceptionHandler((e, parsed, _) -> failed(session.console(), e, parsed.getCommandName()));
        line.setOut(new java.io.PrintWriter(session.console().out(), true));
        line.getSubcommands().forEach((name, command) -> {
            command.setStopAtPositional(WITH_A_COMMAND_OF_THEIR_OWN.contains(name));
            command.getCommandSpec().addOption(CommandLine.Model.OptionSpec.builder("--help").usageHelp(true)
                    .description("Print usage").build());
        });
        return line;
    }

    private static List<String> plain(List<String> words) {
        var verbs = NOUNS.get(words.getFirst());
        if (verbs == null || words.size() < 2) return words;
        var command = verbs.get(words.get(1));
        if (command == null && words.getFirst().equals("container") && Group.of(words.get(1)) != null
                && Group.of(words.get(1)) != Group.IMAGES) {
            command = List.of(words.get(1));           // container run is run
        }
        if (command == null) return words;
        var plain = new ArrayList<>(command);
        plain.addAll(words.subList(2, words.size()));
        return plain;
    }

    private static int failed(Console console, Exception e, String command) {
        console.out().flush();
        var message = switch (e) {
            case ApiException refused -> refused.forUser();
            case UncheckedIOException io -> String.valueOf(io.getCause().getMessage());
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
        boolean beforeStart = "run".equals(command) || "create".equals(command);
        int status = e instanceof CommandFailed failure ? failure.exitStatus() : beforeStart && "run".equals(command) ? 125 : 1;
        if (e instanceof CommandFailed && e.getMessage() == null) return status;
        console.err().println(beforeStart
                ? PROGRAM + ": " + message + (message.endsWith(".") ? "" : ".") + "\nSee '" + PROGRAM + " " + command + " --help'."
                : message);
        console.err().flush();
        return status;
    }

    /// Mistakes on the command line, in Docker's words. `run` and `exec` keep low statuses for the container's command.
    private static int badUsage(Console console, ParameterException e) {
        var spec = e.getCommandLine().getCommandSpec();
        var name = (spec.parent() == null ? PROGRAM : PROGRAM + " " + spec.name());
        var err = console.err();
        switch (e) {
            case UnmatchedArgumentException u when u.isUnknownOption() -> err.println(unknownFlag(u.getUnmatched().getFirst())
                    + "\nSee '" + name + " --help'.");
            case UnmatchedArgumentException _ -> wrongCount(err, spec, name, "accepts no more arguments");
            case MissingParameterException m when m.getMissing().stream().allMatch(a -> a.isPositional()) -> {
                int needed = spec.positionalParameters().stream().mapToInt(p -> p.arity().min()).sum();
                boolean open = spec.positionalParameters().stream().anyMatch(p -> p.arity().max() > p.arity().min());
                wrongCount(err, spec, name, "requires " + (open ? "at least " : "exactly ") + needed
                        + (needed == 1 ? " argument" : " arguments"));
            }
            default -> err.println(e.getMessage() + "\nSee '" + name + " --help'.");
        }
        err.flush();
        boolean flagOfAnyCommand = !(e instanceof MissingParameterException);
        return spec.parent() == null || flagOfAnyCommand ? 125 : 1;
    }

    private static String unknownFlag(String argument) {
        return argument.startsWith("--")
                ? "unknown flag: " + argument.replaceFirst("=.*", "")
                : "unknown shorthand flag: '" + argument.charAt(1) + "' in " + argument;
    }

    private static void wrongCount(java.io.PrintStream err, CommandSpec spec, String name, String problem) {
        err.println("\"" + name + "\" " + problem + ".\nSee '" + name + " --help'.\n\n"
                + spec.commandLine().getUsageMessage().stripTrailing());
    }

    private static void usage(Console console) {
        var out = console.out();
        out.println("\nUsage:  " + PROGRAM + " [OPTIONS] COMMAND\n\nA container engine for devices\n\nOptions:");
        out.println("  -D, --debug              Enable debug mode");
        out.println("  -H, --host list          Daemon socket to connect to (default " + EngineAddress.DEFAULT + ")");
        out.println("  -v, --version            Print version information and quit");
        out.println("\nCommands:");
        var session = new Session(null, console);
        var descriptions = new java.util.TreeMap<String, String>();
        for (var group : Group.values()) {
            commandLine(group, session).getSubcommands().forEach((name, command) -> {
                var description = command.getCommandSpec().usageMessage().description();
                descriptions.put(name, description.length == 0 ? "" : description[0]);
            });
        }
        descriptions.forEach((name, description) -> out.printf("  %-11s %s%n", name, description));
        out.println("\nRun '" + PROGRAM + " COMMAND --help' for more information on a command.");
    }
}
