package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.List;

/// Commands that start a process in a container, and those that join one.
@Command(name = Main.PROGRAM)
final class RunCommands {
    private static final int ENGINE_FAILED = 125;
    private static final int CANNOT_EXECUTE = 126;
    private static final int NOT_FOUND = 127;
    private final Session session;

    RunCommands(Session session) {
        this.session = session;
    }

    @Command(description = "Run a command in a new container")
    int run(@Option(names = {"-d", "--detach"}, description = "Run container in background and print container ID") boolean detached,
            @Option(names = "--sig-proxy", arity = "1", defaultValue = "true", description = "Proxy received signals to the process") boolean passSignals,
            @Mixin ContainerOptions options) throws IOException {
        if (detached && !options.attach.isEmpty()) throw new CommandFailed(ENGINE_FAILED, "Conflicting options: -a and -d");
        if (!detached) terminalExpected(options.tty, options.interactive);
        var id = createPulling(options, !detached);
        if (!detached) return runAttached(id, options, passSignals);
        start(id);
        session.console().out().println(id);
        return 0;
    }

    private int runAttached(String id, ContainerOptions options, boolean passSignals) throws IOException {
        var target = Target.of("containers", id, "attach").with("stream", 1).flag("stdin", options.interactive)
                .flag("stdout", options.attach.isEmpty() || options.attachesTo("stdout"))
                .flag("stderr", options.attach.isEmpty() || options.attachesTo("stderr"));
        try (var attachment = new Attachment(session, session.engine().hijack(target, null), options.tty);
             // Asked before the start: a short process must not end unseen.
             var ended = session.engine().open("POST", Target.of("containers", id, "wait")
                     .with("condition", options.remove ? "removed" : "next-exit"))) {
            start(id);
            return follow(attachment, List.of("containers", id), options.interactive, options.tty, passSignals ? id : null)
                    ? ended.json().path("StatusCode").asInt() : 0;
        }
    }

    /// @param process the API's path of what has the terminal
    /// @param signalled which container gets the signals we receive, or `null`
    /// @return false if the user detached
    private boolean follow(Attachment attachment, List<String> process, boolean input, boolean terminal, String signalled) {
        if (signalled != null && !terminal) {
            Signals.passTo(signal -> post(Target.of("containers", signalled, "kill").with("signal", signal)));
        }
        boolean ourTerminal = terminal && Terminal.is(Terminal.STDOUT);
        var raw = terminal && input && Terminal.is(Terminal.STDIN) ? Terminal.raw() : null;
        try (raw) {
            if (ourTerminal) {
                Signals.onResize(() -> resize(process));
                resize(process);
            }
            if (input) attachment.sendInput();
            return attachment.copyOutput();
        }
    }

    private void resize(List<String> process) {
        var size = Terminal.size();
        post(Target.of(process.get(0), process.get(1), "resize").with("h", size.rows()).with("w", size.columns()));
    }

    /// For requests that come too late as often as not: the process may just have ended.
    private void post(Target target) {
        try {
            session.engine().post(target);
        } catch (ApiException | UncheckedIOException _) {
            // nothing left to tell it to
        }
    }

    private void start(String id) {
        try {
            session.engine().post(Target.of("containers", id, "start"));
        } catch (ApiException e) {
            throw new CommandFailed(startStatus(e.getMessage()), e.forUser());
        }
    }

    /// As a shell would say it: the command was not found, or cannot be executed, or it was the engine's fault.
    private static int startStatus(String message) {
        if (message.contains("executable file not found") || message.contains("no such file or directory")) return NOT_FOUND;
        return message.contains("permission denied") || message.contains("is a directory") ? CANNOT_EXECUTE : ENGINE_FAILED;
    }

    @Command(description = "Create a new container")
    int create(@Mixin ContainerOptions options) {
        session.console().out().println(createPulling(options, true));
        return 0;
    }

    private String createPulling(ContainerOptions options, boolean attached) {
        var description = options.toJson(attached);
        var image = ImageName.parse(options.image);
        if (options.pull.equals("always")) pull(image, options.platform);
        JsonNode created;
        try {
            created = create(options, description);
        } catch (ApiException e) {
            if (e.status() != 404 || options.pull.equals("never") || !e.getMessage().toLowerCase(java.util.Locale.ROOT).contains("no such image")) throw e;
            session.console().err().println("Unable to find image '" + image + "' locally");
            pull(image, options.platform);
            created = create(options, description);
        }
        session.console().err().flush();
        for (var warning : created.path("Warnings")) session.console().err().println("WARNING: " + warning.asText());
        var id = created.path("Id").asText();
        if (options.cidFile != null) write(options, id);
        return id;
    }

    private void pull(ImageName image, String platform) {
        ImageCommands.pull(session, image, platform, session.console().err(), Terminal.is(Terminal.STDERR));
    }

    private JsonNode create(ContainerOptions options, ObjectNode description) {
        var target = Target.of("containers", "create");
        if (options.name != null) target.with("name", options.name);
        if (options.platform != null) target.with("platform", options.platform);
        return session.engine().post(target, description);
    }

    private static void write(ContainerOptions options, String id) {
        try {
            Files.writeString(options.cidFile, id, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new CommandFailed(ENGINE_FAILED, "failed to write the container ID file: " + e.getMessage());
        }
    }

    @Command(description = "Start one or more stopped containers")
    int start(@Option(names = {"-a", "--attach"}, description = "Attach STDOUT/STDERR and forward signals") boolean attach,
              @Option(names = {"-i", "--interactive"}, description = "Attach container's STDIN") boolean interactive,
              @Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) throws IOException {
        if (!attach && !interactive) {
            int status = session.printEach(names, name -> session.engine().post(Target.of("containers", name, "start")));
            if (status != 0) {
                session.console().err().println("Error: failed to start containers: " + String.join(", ", names));
            }
            return status;
        }
        if (names.size() > 1) throw new CommandFailed(1, "you cannot start and attach multiple containers at once");
        var container = session.engine().get(Target.of("containers", names.getFirst(), "json"));
        var id = container.path("Id").asText();
        boolean tty = container.path("Config").path("Tty").asBoolean();
        boolean input = interactive && container.path("Config").path("OpenStdin").asBoolean();
        boolean removed = container.path("HostConfig").path("AutoRemove").asBoolean();
        try (var attachment = new Attachment(session, session.engine().hijack(attachTarget(id, input), null), tty);
             var ended = session.engine().open("POST", Target.of("containers", id, "wait").with("condition", removed ? "removed" : "next-exit"))) {
            session.engine().post(Target.of("containers", id, "start"));
            return follow(attachment, List.of("containers", id), input, tty, id) ? ended.json().path("StatusCode").asInt() : 0;
        }
    }

    private static Target attachTarget(String id, boolean input) {
        return Target.of("containers", id, "attach").with("stream", 1).flag("stdin", input).with("stdout", 1).with("stderr", 1);
    }

    @Command(description = "Attach local standard input, output, and error streams to a running container")
    int attach(@Option(names = "--no-stdin", description = "Do not attach STDIN") boolean noInput,
               @Option(names = "--sig-proxy", arity = "1", defaultValue = "true", description = "Proxy all received signals to the process") boolean passSignals,
               @Parameters(paramLabel = "CONTAINER") String name) throws IOException {
        var container = session.engine().get(Target.of("containers", name, "json"));
        var state = container.path("State");
        if (!state.path("Running").asBoolean()) throw new CommandFailed(1, "You cannot attach to a stopped container, start it first");
        if (state.path("Paused").asBoolean()) throw new CommandFailed(1, "You cannot attach to a paused container, unpause it first");
        var id = container.path("Id").asText();
        boolean tty = container.path("Config").path("Tty").asBoolean();
        boolean input = !noInput && container.path("Config").path("OpenStdin").asBoolean();
        terminalExpected(tty, input);
        try (var ended = session.engine().open("POST", Target.of("containers", id, "wait"));
             var attachment = new Attachment(session, session.engine().hijack(attachTarget(id, input), null), tty)) {
            return follow(attachment, List.of("containers", id), input, tty, passSignals ? id : null)
                    ? ended.json().path("StatusCode").asInt() : 0;
        }
    }

    @Command(description = "Run a command in a running container")
    int exec(@Option(names = {"-d", "--detach"}, description = "Detached mode: run command in the background") boolean detached,
             @Option(names = {"-i", "--interactive"}, description = "Keep STDIN open even if not attached") boolean interactive,
             @Option(names = {"-t", "--tty"}, description = "Allocate a pseudo-TTY") boolean tty,
             @Option(names = {"-e", "--env"}, description = "Set environment variables") List<String> environment,
             @Option(names = {"-w", "--workdir"}, description = "Working directory inside the container") String workingDirectory,
             @Option(names = {"-u", "--user"}, description = "Username or UID (format: <name|uid>[:<group|gid>])") String user,
             @Option(names = "--privileged", description = "Give extended privileges to the command") boolean privileged,
             @Parameters(index = "0", paramLabel = "CONTAINER") String name,
             @Parameters(index = "1..*", arity = "1..*", paramLabel = "COMMAND") List<String> command) throws IOException {
        if (!detached) terminalExpected(tty, interactive);
        var exec = EngineClient.JSON.createObjectNode().put("AttachStdin", interactive && !detached)
                .put("AttachStdout", !detached).put("AttachStderr", !detached).put("Tty", tty).put("Privileged", privileged);
        var words = exec.putArray("Cmd");
        command.forEach(words::add);
        if (environment != null) environment.forEach(exec.putArray("Env")::add);
        if (workingDirectory != null) exec.put("WorkingDir", workingDirectory);
        if (user != null) exec.put("User", user);
        var id = session.engine().post(Target.of("containers", name, "exec"), exec).path("Id").asText();
        var start = EngineClient.JSON.createObjectNode().put("Detach", detached).put("Tty", tty);
        if (detached) {
            session.engine().post(Target.of("exec", id, "start"), start);
            return 0;
        }
        try (var attachment = new Attachment(session, session.engine().hijack(Target.of("exec", id, "start"), start), tty)) {
            if (!follow(attachment, List.of("exec", id), interactive, tty, null)) return 0;
        }
        return session.engine().get(Target.of("exec", id, "json")).path("ExitCode").asInt();
    }

    private static void terminalExpected(boolean tty, boolean interactive) {
        if (tty && interactive && !Terminal.is(Terminal.STDIN)) throw new CommandFailed(1, "the input device is not a TTY");
    }
}
