package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/// Requests, one on a line, with the status that each is to be answered with: `201 POST /containers/create?name=one {"Image":"busybox:it"}`.
///
/// `exec = 201 POST …` remembers the answer's `Id`, which `${exec}` stands for from then on. `tar:name` for a body is an archive of one
/// empty file.
record ApiScript(List<Step> steps) {
    private static final Pattern LINE = Pattern.compile("(?:(\\w+) = )?(\\d{3}) ([A-Z]+) (\\S+)(?: (.+))?");
    private static final String TAR = "tar:";
    private static final Path FOLDER = Path.of("src/it/endpoints");

    record Step(String line, Optional<String> variable, int status, String method, String path, String body) {}

    record Answered(Step step, Api.Answer answer) {
        /// The body when it is one JSON document.
        Optional<JsonNode> json() {
            String body = answer.body().strip();
            if (!body.startsWith("{") && !body.startsWith("[")) return Optional.empty();
            try {
                return Optional.of(answer.json());
            } catch (UncheckedIOException severalDocuments) {
                return Optional.empty();
            }
        }
    }

    /// @param name of a file in `endpoints`
    static ApiScript read(String name) throws IOException {
        return new ApiScript(Files.readAllLines(FOLDER.resolve(name)).stream().map(ApiScript::step).toList());
    }

    static List<ApiScript> all() throws IOException {
        var scripts = new ArrayList<ApiScript>();
        try (var files = Files.list(FOLDER)) {
            for (Path file : files.sorted().toList()) scripts.add(read(file.getFileName().toString()));
        }
        return scripts;
    }

    private static Step step(String line) {
        Matcher parts = LINE.matcher(line);
        if (!parts.matches()) throw new IllegalArgumentException(line);
        return new Step(line, Optional.ofNullable(parts.group(1)), Integer.parseInt(parts.group(2)), parts.group(3), parts.group(4),
                parts.group(5) == null ? "" : parts.group(5));
    }

    List<Answered> run(Api api) throws IOException {
        Map<String, String> variables = new HashMap<>();
        List<Answered> answers = new ArrayList<>();
        for (Step step : steps) {
            boolean tar = step.body.startsWith(TAR);
            byte[] body = tar ? archive(step.body.substring(TAR.length())) : filled(step.body, variables).getBytes(UTF_8);
            var answer = api.call(step.method, filled(step.path, variables), tar ? "application/x-tar" : "application/json", body);
            step.variable.ifPresent(name -> variables.put(name, answer.status() < 300 ? answer.json().path("Id").asText("none") : "none"));
            answers.add(new Answered(step, answer));
        }
        return answers;
    }

    private static byte[] archive(String name) throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(bytes, 512)) {
            tar.putArchiveEntry(new TarArchiveEntry(name));
            tar.closeArchiveEntry();
        }
        return bytes.toByteArray();
    }

    private static String filled(String text, Map<String, String> variables) {
        for (var variable : variables.entrySet()) text = text.replace("${" + variable.getKey() + "}", variable.getValue());
        return text;
    }
}
