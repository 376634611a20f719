package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `HEALTHCHECK [--interval=30s …] CMD …` or `HEALTHCHECK NONE`, as the `Healthcheck` object of an image.
final class HealthcheckInstruction {
    private static final Pattern FLAG = Pattern.compile("--([a-z-]+)(?:=(\\S*))?\\s*");

    private HealthcheckInstruction() {}

    /// @throws DistributionException.InvalidRequest with Docker's words
    static ObjectNode parse(String arguments) {
        ObjectNode check = Json.MAPPER.createObjectNode();
        ArrayNode test = check.putArray("Test");
        Matcher flag = FLAG.matcher(arguments);
        int end = 0;
        while (flag.find() && flag.start() == end) {
            end = flag.end();
            apply(flag.group(1), flag.group(2) == null ? "" : flag.group(2), check);
        }
        String[] rest = arguments.substring(end).split("\\s+", 2);
        if (rest[0].isEmpty()) throw invalid("HEALTHCHECK requires at least one argument");
        String command = rest.length < 2 ? "" : rest[1];
        switch (rest[0].toUpperCase(Locale.ROOT)) {
            case "NONE" -> {
                if (!command.isEmpty()) throw invalid("HEALTHCHECK NONE takes no arguments");
                test.add("NONE");
            }
            case "CMD" -> {
                if (command.isEmpty()) throw invalid("Missing command after HEALTHCHECK CMD");
                ConfigChanges.jsonStrings(command)
                        .ifPresentOrElse(words -> exec(test, words), () -> test.add("CMD-SHELL").add(command));
            }
            default -> throw invalid("Unknown type " + ShellWords.quoted(rest[0].toUpperCase(Locale.ROOT)) + " in HEALTHCHECK (try CMD)");
        }
        return check;
    }

    private static void exec(ArrayNode test, List<String> words) {
        test.add("CMD");
        words.forEach(test::add);
    }

    private static void apply(String flag, String value, ObjectNode check) {
        switch (flag) {
            case "interval" -> duration(flag, "Interval", value, check);
            case "timeout" -> duration(flag, "Timeout", value, check);
            case "start-period" -> duration(flag, "StartPeriod", value, check);
            case "start-interval" -> duration(flag, "StartInterval", value, check);
            case "retries" -> retries(value, check);
            default -> throw invalid("Unknown flag: " + flag);
        }
    }

    private static void duration(String flag, String field, String value, ObjectNode check) {
        if (value.isEmpty()) return;
        long nanos = GoDuration.parseNanos(value);
        if (nanos != 0 && nanos < 1_000_000) throw invalid("Interval " + ShellWords.quoted(flag) + " cannot be less than 1ms");
        if (nanos != 0) check.put(field, nanos);
    }

    private static void retries(String value, ObjectNode check) {
        if (value.isEmpty()) return;
        int retries;
        try {
            retries = Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw invalid("strconv.ParseInt: parsing " + ShellWords.quoted(value) + ": invalid syntax");
        }
        if (retries < 1) throw invalid("--retries must be at least 1 (not " + retries + ")");
        check.put("Retries", retries);
    }

    private static DistributionException.InvalidRequest invalid(String message) {
        return new DistributionException.InvalidRequest(message);
    }
}
