package io.balena.engine.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// About the engine as a whole.
@Command(name = Main.PROGRAM)
final class SystemCommands {
    private static final DateTimeFormatter EVENT_TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.nnnnnnnnnXXX");
    private final Session session;

    SystemCommands(Session session) {
        this.session = session;
    }

    @Command(description = "Show the version information", customSynopsis = "Usage:  balena-engine version")
    int version() {
        var out = session.console().out();
        out.println("Client:\n Version:           " + Version.NUMBER + "\n API version:       " + Version.API
                + "\n Java version:      " + Runtime.version() + "\n OS/Arch:           linux/" + System.getProperty("os.arch"));
        var server = session.engine().get(Target.of("version"));
        out.println("\nServer:\n Engine:\n  Version:          " + server.path("Version").asText()
                + "\n  API version:      " + server.path("ApiVersion").asText()
                + " (minimum version " + server.path("MinAPIVersion").asText() + ")"
                + "\n  Git commit:       " + server.path("GitCommit").asText()
                + "\n  Built:            " + server.path("BuildTime").asText()
                + "\n  OS/Arch:          " + server.path("Os").asText() + "/" + server.path("Arch").asText()
                + "\n  Kernel:           " + server.path("KernelVersion").asText());
        return 0;
    }

    @Command(description = "Display system-wide information")
    int info() {
        var info = session.engine().get(Target.of("info"));
        var out = session.console().out();
        out.println("Client:\n Version:    " + Version.NUMBER + "\n\nServer:");
        out.println(" Containers: " + info.path("Containers").asInt());
        out.println("  Running: " + info.path("ContainersRunning").asInt());
        out.println("  Paused: " + info.path("ContainersPaused").asInt());
        out.println("  Stopped: " + info.path("ContainersStopped").asInt());
        line("Images", info, "Images");
        line("Server Version", info, "ServerVersion");
        line("Storage Driver", info, "Driver");
        for (var pair : info.path("DriverStatus")) out.println("  " + pair.path(0).asText() + ": " + pair.path(1).asText());
        line("Logging Driver", info, "LoggingDriver");
        line("Cgroup Driver", info, "CgroupDriver");
        line("Cgroup Version", info, "CgroupVersion");
        line("Default Runtime", info, "DefaultRuntime");
        out.println(" Security Options:");
        for (var option : info.path("SecurityOptions")) out.println("  " + option.asText().replaceFirst("^name=([^,]*).*", "$1"));
        line("Kernel Version", info, "KernelVersion");
        line("Operating System", info, "OperatingSystem");
        line("OSType", info, "OSType");
        line("Architecture", info, "Architecture");
        line("CPUs", info, "NCPU");
        out.printf(java.util.Locale.ROOT, " Total Memory: %.4gGiB%n", info.path("MemTotal").asLong() / (double) (1 << 30));
        line("Name", info, "Name");
        line("ID", info, "ID");
        line("Docker Root Dir", info, "DockerRootDir");
        line("Live Restore Enabled", info, "LiveRestoreEnabled");
        session.console().out().flush();
        for (var warning : info.path("Warnings")) session.console().err().println(warning.asText());
        return 0;
    }

    private void line(String label, JsonNode info, String field) {
        if (info.hasNonNull(field)) session.console().out().println(" " + label + ": " + info.path(field).asText());
    }

    @Command(description = "Get real time events from the server")
    int events(@Option(names = "--since", description = "Show all events created since timestamp") String since,
               @Option(names = "--until", description = "Stream events until this timestamp") String until,
               @Option(names = {"-f", "--filter"}, description = "Filter output based on conditions provided") List<String> filters) {
        var target = Target.of("events");
        if (since != null) target.with("since", since);
        if (until != null) target.with("until", until);
        if (filters != null) target.with("filters", FilterArguments.json(filters));
        session.engine().stream("GET", target, Map.of(), event -> {
            session.console().out().println(eventLine(event));
            session.console().out().flush();
        });
        return 0;
    }

    static String eventLine(JsonNode event) {
        long nanos = event.path("timeNano").asLong();
        var time = EVENT_TIME.format(Instant.ofEpochSecond(0, nanos).atZone(ZoneId.systemDefault()));
        var attributes = new ArrayList<String>();
        event.path("Actor").path("Attributes").properties().forEach(e -> attributes.add(e.getKey() + "=" + e.getValue().asText()));
        attributes.sort(null);
        var text = time + " " + event.path("Type").asText() + " " + event.path("Action").asText() + " "
                + event.path("Actor").path("ID").asText();
        return attributes.isEmpty() ? text : text + " (" + String.join(", ", attributes) + ")";
    }

    @Command(description = "Return low-level information on Docker objects")
    int inspect(@Option(names = "--type", description = "Return JSON for specified type") String type,
                @Option(names = {"-s", "--size"}, description = "Display total file sizes") boolean size,
                @Parameters(arity = "1..*", paramLabel = "NAME|ID") List<String> names) {
        var found = EngineClient.JSON.createArrayNode();
        int status = session.forEach(names, name -> found.add(inspectOne(type, size, name)));
        session.console().out().println(indented(found));
        return status;
    }

    private JsonNode inspectOne(String type, boolean size, String name) {
        if (type == null || type.equals("container")) {
            try {
                return session.engine().get(Target.of("containers", name, "json").flag("size", size));
            } catch (ApiException e) {
                if (e.status() != 404 || type != null) throw e;
            }
        }
        if (type != null && !type.equals("container") && !type.equals("image")) {
            throw new CommandFailed(1, "\"" + type + "\" is not a valid value for --type");
        }
        try {
            return session.engine().get(Target.of("images", name, "json"));
        } catch (ApiException e) {
            if (e.status() == 404 && type == null) throw new ApiException(404, "No such object: " + name) {
                // not the daemon's answer to one request, but ours to several
                @Override String forUser() { return "Error: " + getMessage(); }
            };
            throw e;
        }
    }

    static String indented(JsonNode value) {
        var indent = new DefaultIndenter("    ", "\n");
        var printer = new DefaultPrettyPrinter().withObjectIndenter(indent).withArrayIndenter(indent)
                .withSeparators(com.fasterxml.jackson.core.util.Separators.createDefaultInstance()
                        .withObjectFieldValueSpacing(com.fasterxml.jackson.core.util.Separators.Spacing.AFTER)
                        .withObjectEmptySeparator("").withArrayEmptySeparator(""));
        try {
            return EngineClient.JSON.writer(printer).writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
