package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Requests, one on a line, with the status that each is to be answered with: `201 POST /containers/create?name=one {"Image":"busybox:it"}`.
///
/// `exec = 201 POST …` remembers the answer's `Id`, which `${exec}` stands for from then on.
record ApiScript(List<Step> steps) {
    private static final Pattern LINE = Pattern.compile("(?:(\\w+) = )?(\\d{3}) ([A-Z]+) (\\S+)(?: (.+))?");

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

    static ApiScript of(String lines) {
        return new ApiScript(lines.lines().map(String::strip).filter(line -> !line.isEmpty()).map(ApiScript::step).toList());
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
            var answer = api.call(step.method, filled(step.path, variables), "application/json", filled(step.body, variables).getBytes());
            step.variable.ifPresent(name -> variables.put(name, answer.status() < 300 ? answer.json().path("Id").asText("none") : "none"));
            answers.add(new Answered(step, answer));
        }
        return answers;
    }

    private static String filled(String text, Map<String, String> variables) {
        for (var variable : variables.entrySet()) text = text.replace("${" + variable.getKey() + "}", variable.getValue());
        return text;
    }
}
