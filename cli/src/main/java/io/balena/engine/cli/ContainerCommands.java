package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/// Containers that exist: looking at them, ending them.
@Command(name = Main.PROGRAM)
final class ContainerCommands {
    private static final int COMMAND_SHOWN = 20;
    private final Session session;

    ContainerCommands(Session session) {
        this.session = session;
    }

    private static Target container(String name, String... rest) {
        var path = new ArrayList<>(List.of("containers", name));
        path.addAll(List.of(rest));
        return Target.of(path.toArray(String[]::new));
    }

    @Command(description = "List containers")
    int ps(@Option(names = {"-a", "--all"}, description = "Show all containers (default shows just running)") boolean all,
           @Option(names = {"-q", "--quiet"}, description = "Only display container IDs") boolean quiet,
           @Option(names = {"-s", "--size"}, description = "Display total file sizes") boolean size,
           @Option(names = {"-l", "--latest"}, description = "Show the latest created container") boolean latest,
           @Option(names = {"-n", "--last"}, defaultValue = "-1", description = "Show n last created containers") int last,
           @Option(names = "--no-trunc", description = "Don't truncate output") boolean whole,
           @Option(names = {"-f", "--filter"}, description = "Filter output based on conditions provided") List<String> filters) {
        var target = container("json").flag("all", all || latest || last > 0).flag("size", size);
        if (latest || last > 0) target.with("limit", latest ? 1 : last);
        if (filters != null) target.with("filters", FilterArguments.json(filters));
        var headings = new ArrayList<>(List.of("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"));
        if (size) headings.add("SIZE");
        var table = new Table(headings.toArray(String[]::new));
        for (var c : session.engine().get(target)) {
            var id = whole ? c.path("Id").asText() : Ids.shortened(c.path("Id").asText());
            if (quiet) {
                session.console().out().println(id);
                continue;
            }
            var row = new ArrayList<>(List.of(id, c.path("Image").asText(), command(c.path("Command").asText(), whole),
                    Units.duration(Duration.between(Instant.ofEpochSecond(c.path("Created").asLong()), Instant.now())) + " ago",
                    c.path("Status").asText(), PublishedPorts.line(c.path("Ports")), names(c.path("Names"))));
            if (size) row.add(Units.size(c.path("SizeRw").asLong(), 3) + " (virtual " + Units.size(c.path("SizeRootFs").asLong(), 3) + ")");
            table.row(row.toArray(String[]::new));
        }
        if (!quiet) session.console().out().print(table);
        return 0;
    }

    private static String command(String command, boolean whole) {
        var shown = whole || command.length() <= COMMAND_SHOWN ? command : command.substring(0, COMMAND_SHOWN - 1) + "…";
        return '"' + shown.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t") + '"';
    }

    private static String names(JsonNode names) {
        var shown = new ArrayList<String>();
        for (var name : names) shown.add(name.asText().replaceFirst("^/", ""));
        return String.join(",", shown);
    }

    @Command(description = "Stop one or more running containers")
    int stop(@Option(names = {"-t", "--time"}, description = "Seconds to wait before killing the container") Integer seconds,
             @Option(names = {"-s", "--signal"}, description = "Signal to send to the container") String signal,
             @Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().post(stopping(container(name, "stop"), seconds, signal)));
    }

    @Command(description = "Restart one or more containers")
    int restart(@Option(names = {"-t", "--time"}, description = "Seconds to wait before killing the container") Integer seconds,
                @Option(names = {"-s", "--signal"}, description = "Signal to send to the container") String signal,
                @Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().post(stopping(container(name, "restart"), seconds, signal)));
    }

    private static Target stopping(Target target, Integer seconds, String signal) {
        if (seconds != null) target.with("t", seconds);
        return signal == null ? target : target.with("signal", signal);
    }

    @Command(description = "Kill one or more running containers")
    int kill(@Option(names = {"-s", "--signal"}, defaultValue = "KILL", description = "Signal to send to the container") String signal,
             @Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().post(container(name, "kill").with("signal", signal)));
    }

    @Command(description = "Remove one or more containers")
    int rm(@Option(names = {"-f", "--force"}, description = "Force the removal of a running container (uses SIGKILL)") boolean force,
           @Option(names = {"-v", "--volumes"}, description = "Remove anonymous volumes associated with the container") boolean volumes,
           @Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().delete(container(name).flag("force", force).flag("v", volumes)));
    }

    @Command(name = "wait", description = "Block until one or more containers stop, then print their exit codes")
    int waitFor(@Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.forEach(names, name ->
                session.console().out().println(session.engine().post(container(name, "wait")).path("StatusCode").asInt()));
    }

    @Command(description = "Rename a container")
    int rename(@Parameters(index = "0", paramLabel = "CONTAINER") String name,
               @Parameters(index = "1", paramLabel = "NEW_NAME") String newName) {
        session.engine().post(container(name, "rename").with("name", newName));
        return 0;
    }

    @Command(description = "Pause all processes within one or more containers")
    int pause(@Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().post(container(name, "pause")));
    }

    @Command(description = "Unpause all processes within one or more containers")
    int unpause(@Parameters(arity = "1..*", paramLabel = "CONTAINER") List<String> names) {
        return session.printEach(names, name -> session.engine().post(container(name, "unpause")));
    }

    @Command(description = "Display the running processes of a container")
    int top(@Parameters(index = "0", paramLabel = "CONTAINER") String name,
            @Parameters(index = "1..*", arity = "0..*", paramLabel = "ps OPTIONS") List<String> options) {
        var target = container(name, "top");
        if (options != null) target.with("ps_args", String.join(" ", options));
        var top = session.engine().get(target);
        var table = new Table(20, cells(top.path("Titles")));
        for (var process : top.path("Processes")) table.row(cells(process));
        session.console().out().print(table);
        return 0;
    }

    private static String[] cells(JsonNode row) {
        var cells = new ArrayList<String>();
        row.forEach(cell -> cells.add(cell.asText()));
        return cells.toArray(String[]::new);
    }

    @Command(description = "Fetch the logs of a container")
    int logs(@Option(names = {"-f", "--follow"}, description = "Follow log output") boolean follow,
             @Option(names = "--since", description = "Show logs since timestamp or relative (e.g. \"42m\" for 42 minutes)") String since,
             @Option(names = "--until", description = "Show logs before a timestamp or relative") String until,
             @Option(names = {"-t", "--timestamps"}, description = "Show timestamps") boolean timestamps,
             @Option(names = {"-n", "--tail"}, defaultValue = "all", description = "Number of lines to show from the end of the logs") String tail,
             @Option(names = "--details", description = "Show extra details provided to logs") boolean details,
             @Parameters(paramLabel = "CONTAINER") String name) throws IOException {
        boolean terminal = session.engine().get(container(name, "json")).path("Config").path("Tty").asBoolean();
        var target = container(name, "logs").with("stdout", 1).with("stderr", 1).with("tail", tail)
                .flag("follow", follow).flag("timestamps", timestamps).flag("details", details);
        if (since != null) target.with("since", Times.forApi(since));
        if (until != null) target.with("until", Times.forApi(until));
        try (var logs = session.engine().open("GET", target)) {
            if (terminal) OutputStreams.copyRaw(logs.answer().body(), session.console().out());
            else OutputStreams.copyFrames(logs.answer().body(), session.console().out(), session.console().err());
        }
        return 0;
    }

    @Command(description = "List port mappings or a specific mapping for the container")
    int port(@Parameters(index = "0", paramLabel = "CONTAINER") String name,
             @Parameters(index = "1", arity = "0..1", paramLabel = "PRIVATE_PORT[/PROTO]") String wanted) {
        var ports = session.engine().get(container(name, "json")).path("NetworkSettings").path("Ports");
        var exact = wanted == null ? null : wanted.contains("/") ? wanted : wanted + "/tcp";
        boolean found = false;
        for (var port : ports.properties()) {
            if (exact != null && !exact.equals(port.getKey())) continue;
            for (var binding : port.getValue()) {
                found = true;
                var at = PublishedPorts.address(binding.path("HostIp").asText()) + ":" + binding.path("HostPort").asText();
                session.console().out().println(exact == null ? port.getKey() + " -> " + at : at);
            }
        }
        if (exact != null && !found) throw new CommandFailed(1, "Error: No public port '" + exact + "' published for " + name);
        return 0;
    }
}
