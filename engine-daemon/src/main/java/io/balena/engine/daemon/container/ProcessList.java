package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.runtime.cgroup.ContainerCgroup;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// What `docker top` shows: the lines of the host's ps(1) that are about a container's processes.
final class ProcessList {
    /// When the client names none.
    private static final List<String> DEFAULT_ARGUMENTS = List.of("-ef");

    private ProcessList() {}

    /// @param arguments for ps, e.g. `-ef`
    static ObjectNode of(Container container, Path bundle, String arguments) throws IOException {
        container.requireAlive();
        // As Docker: such characters serve only to make ps print columns that would be mistaken for others.
        if (!arguments.matches("[\\w\\s,=:.%+-]*")) throw new InvalidRequest("invalid ps arguments: " + arguments);
        Set<Integer> own = new HashSet<>(ContainerCgroup.of(container.id().hex(), bundle).processes());
        return select(ps(arguments.isBlank() ? List.of() : List.of(arguments.strip().split("\\s+")), own), own);
    }

    /// Without `-q`, some arguments make ps show the processes of its own terminal alone; others do not go with it.
    private static List<String> ps(List<String> arguments, Set<Integer> own) throws IOException {
        List<String> selecting = new ArrayList<>(arguments);
        selecting.addAll(List.of("-q", own.stream().map(String::valueOf).collect(Collectors.joining(","))));
        try {
            return ps(selecting);
        } catch (SystemFailure e) {
            try {
                return ps(arguments);
            } catch (SystemFailure again) {
                if (!arguments.equals(DEFAULT_ARGUMENTS)) throw again;
                return ps(List.of()); // busybox's ps knows no arguments
            }
        }
    }

    private static List<String> ps(List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("ps"));
        command.addAll(arguments);
        Process ps = new ProcessBuilder(command).redirectErrorStream(true).start();
        ps.getOutputStream().close();
        List<String> lines = new String(ps.getInputStream().readAllBytes(), UTF_8).lines().toList();
        try {
            if (ps.waitFor() != 0) throw new SystemFailure("ps: " + (lines.isEmpty() ? "failed" : lines.getFirst()), null);
        } catch (InterruptedException e) {
            throw new InterruptedIOException("interrupted while waiting for ps");
        }
        return lines;
    }

    static ObjectNode select(List<String> lines, Set<Integer> pids) {
        if (lines.isEmpty()) throw new SystemFailure("ps printed nothing", null);
        List<String> titles = Arrays.asList(lines.getFirst().strip().split("\\s+"));
        int pidColumn = titles.indexOf("PID");
        if (pidColumn < 0) throw new SystemFailure("Couldn't find PID field in ps output", null);
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode processes = JsonNodeFactory.instance.arrayNode();
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.strip().split("\\s+", titles.size());
            if (fields.length <= pidColumn || !fields[pidColumn].matches("\\d+")) continue;
            if (!pids.contains(Integer.valueOf(fields[pidColumn]))) continue;
            ArrayNode row = processes.addArray();
            for (String field : fields) row.add(field);
        }
        json.set("Processes", processes);
        ArrayNode header = json.putArray("Titles");
        titles.forEach(header::add);
        return json;
    }
}
