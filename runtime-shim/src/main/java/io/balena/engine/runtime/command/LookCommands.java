package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.Container;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.container.StateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/// `state`, `list`, `ps`, `events`.
final class LookCommands {
    private static final String[] COLUMNS = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
    private static final int LEAST_WIDTH = 12;
    private static final int GAP = 3;

    private final Path root;
    private final OciRuntime runtime;

    LookCommands(Path root, OciRuntime runtime) {
        this.root = root;
        this.runtime = runtime;
    }

    int perform(CommandVerb verb, CommandWords words) throws IOException {
        return switch (verb) {
            case STATE -> state(words.arguments().getFirst());
            case LIST -> list(words);
            case PS -> ps(words);
            default -> new EventsCommand(runtime).perform(words);
        };
    }

    private int state(String id) throws IOException {
        var json = new JsonOut(true);
        view(id, runtime.known(id), "").writeTo(json);
        System.out.print(json);
        return 0;
    }

    private ContainerView view(String id, Container container, String owner) throws IOException {
        return ContainerView.of(id, container, root.resolve(id), owner);
    }

    private int list(CommandWords words) throws IOException {
        List<ContainerView> all = new ArrayList<>();
        for (String id : new TreeSet<>(StateFile.ids(root))) {
            var container = runtime.find(id);
            if (container.isEmpty()) continue;
            try {
                all.add(view(id, container.get(), Files.getOwner(root.resolve(id)).getName()));
            } catch (java.nio.file.NoSuchFileException _) {
                // deleted meanwhile
            }
        }
        if (words.has("quiet")) {
            for (var view : all) System.out.println(view.id());
            return 0;
        }
        switch (words.value("format", "table")) {
            case "table" -> printTable(all);
            case "json" -> printJson(all);
            default -> throw failure("invalid format option");
        }
        return 0;
    }

    private static void printJson(List<ContainerView> all) {
        if (all.isEmpty()) {
            System.out.println("null");
            return;
        }
        var json = new JsonOut(false).beginArray();
        for (var view : all) view.writeTo(json);
        System.out.println(json.endArray());
    }

    private static void printTable(List<ContainerView> all) {
        List<String[]> rows = new ArrayList<>();
        rows.add(COLUMNS);
        for (var view : all) {
            rows.add(new String[] {
                view.id(), Integer.toString(view.pid()), view.status().toString(), view.bundle(), view.created(), view.owner()
            });
        }
        int[] widths = new int[COLUMNS.length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) widths[i] = Math.max(widths[i], Math.max(LEAST_WIDTH, row[i].length() + GAP));
        }
        var text = new StringBuilder();
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                text.append(row[i]);
                if (i < row.length - 1) text.append(" ".repeat(widths[i] - row[i].length()));
            }
            text.append('\n');
        }
        System.out.print(text);
    }

    private int ps(CommandWords words) throws IOException {
        List<Integer> members = runtime.known(words.arguments().getFirst()).cgroup().members();
        String format = words.value("format", "table");
        if (format.equals("json")) {
            var json = new JsonOut(false).beginArray();
            for (int pid : members) json.element(pid);
            System.out.println(json.endArray());
            return 0;
        }
        if (!format.equals("table")) throw failure("invalid format option");
        List<String> options = words.arguments().subList(1, words.arguments().size());
        List<String> command = new ArrayList<>(List.of("ps"));
        command.addAll(options.isEmpty() ? List.of("-ef") : options);
        filter(HostCommand.output(command), Set.copyOf(members));
        return 0;
    }

    /// Keeps the head and the lines of `pids`; all where there is no column to tell them by.
    private static void filter(String table, Set<Integer> pids) throws ContainerFailure {
        String[] lines = table.split("\n");
        int column = List.of(lines[0].trim().split("\\s+")).indexOf("PID");
        if (column < 0) throw failure("couldn't find PID field in ps output");
        System.out.println(lines[0]);
        for (int i = 1; i < lines.length; i++) {
            String[] fields = lines[i].trim().split("\\s+");
            if (fields.length > column && pids.contains(Integer.parseInt(fields[column]))) System.out.println(lines[i]);
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
