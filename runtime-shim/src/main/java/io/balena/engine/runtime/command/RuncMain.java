package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// `balena-engine-runc`: the OCI runtime as a command, with runc's verbs, flags, words and exit codes, on any bundle.
///
/// What one invocation makes another finds in a folder below `--root`: no daemon, no shim.
public final class RuncMain {
    private static final String DEFAULT_ROOT = "/run/balena-runc";
    private static final int FAILED = 1;
    /// What runc ends with when it could not even run a program in a container.
    private static final int EXEC_FAILED = 255;
    private static final int UNKNOWN_VERB = 3;

    private RuncMain() {}

    public static void main(String[] words) {
        int code = new RuncMain().run(List.of(words));
        System.out.flush();
        // Nothing here waits for a shutdown hook, and a container may share our memory and live on.
        Runtime.getRuntime().halt(code);
    }

    private int run(List<String> words) {
        String program = System.getProperty("balena.engine.name", "balena-engine-runc");
        CommandLog log;
        try {
            log = new CommandLog(null, "text");
            var global = CommandWords.parse(CommandVerb.GLOBAL, words, true, null);
            if (global.has("version")) {
                System.out.println(program + " version " + version() + "\nspec: " + RuntimeSpec.OCI_VERSION);
                return 0;
            }
            var rest = global.arguments();
            if (rest.isEmpty() || global.has("help") || rest.getFirst().equals("help") || rest.getFirst().equals("h")) {
                System.out.println(CommandVerb.generalHelp(program));
                return 0;
            }
            String file = global.value("log");
            log = new CommandLog(file == null || file.isEmpty() ? null : Path.of(file), global.value("log-format", "text"));
            Path root = Path.of(global.value("root", DEFAULT_ROOT)).toAbsolutePath();
            return run(program, root, global.has("systemd-cgroup"), log, rest);
        } catch (CommandUsage e) {
            return misused(program, e);
        } catch (IOException e) {
            System.err.println(e.getMessage());
            return FAILED;
        }
    }

    private static int run(String program, Path root, boolean systemd, CommandLog log, List<String> words) {
        CommandVerb verb = null;
        try {
            verb = CommandVerb.of(words.getFirst());
            var parsed = verb.parse(program, words.subList(1, words.size()));
            if (parsed.has("help")) {
                System.out.println(verb.help(program));
                return 0;
            }
            return perform(verb, parsed, root, systemd, log);
        } catch (CommandUsage e) {
            int code = misused(program, e);
            log.error(e.getMessage());
            return code;
        } catch (ContainerFailure e) {
            log.error(prefix(verb) + worded(e));
        } catch (IOException | RuntimeException e) {
            log.error(prefix(verb) + (e.getMessage() == null ? e.toString() : e.getMessage()));
        }
        return verb == CommandVerb.EXEC ? EXEC_FAILED : FAILED;
    }

    private static int perform(CommandVerb verb, CommandWords words, Path root, boolean systemd, CommandLog log) throws IOException {
        return switch (verb) {
            case CREATE, RUN, START, KILL, DELETE -> new LifeCommands(new OciRuntime(root, systemd), log).perform(verb, words);
            case EXEC -> new ExecCommand(new OciRuntime(root)).perform(words);
            case PAUSE, RESUME, UPDATE -> new ResourceCommands(new OciRuntime(root)).perform(verb, words);
            case STATE, LIST, PS, EVENTS -> new LookCommands(root, new OciRuntime(root)).perform(verb, words);
            case SPEC -> SpecCommand.write(words);
            case FEATURES -> SpecCommand.features();
        };
    }

    private static int misused(String program, CommandUsage e) {
        if (e.verb() == null) return UNKNOWN_VERB;
        System.out.println("Incorrect Usage.\n\n" + e.verb().help(program));
        return FAILED;
    }

    /// What is wrong with a bundle is said as it is; what happened to the program, after what was to be done with it.
    private static String worded(ContainerFailure e) {
        return switch (e.kind()) {
            case NOT_FOUND, NOT_EXECUTABLE -> "unable to start container process: " + e.getMessage();
            case NO_SUCH_PROCESS, SETUP, LOGGING -> e.getMessage();
        };
    }

    private static String prefix(CommandVerb verb) {
        if (verb == CommandVerb.CREATE) return "runc create failed: ";
        if (verb == CommandVerb.RUN) return "runc run failed: ";
        return verb == CommandVerb.EXEC ? "exec failed: " : "";
    }

    private static String version() {
        String version = RuncMain.class.getPackage().getImplementationVersion();
        return version == null ? "dev" : version;
    }
}
