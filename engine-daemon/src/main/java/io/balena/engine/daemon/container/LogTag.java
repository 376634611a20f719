package io.balena.engine.daemon.container;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The log option `tag`: text with parts of the kind `{{.Name}}`, `{{upper .Name}}` or `{{index .ContainerLabels "x"}}`, which is as
/// much of Go's templates as tags are made of.
final class LogTag {
    private static final Pattern ACTION = Pattern.compile("\\{\\{(?:- )?\\s*(.*?)\\s*(?: -)?}}");
    private static final Pattern FIELD = Pattern.compile("(?:(upper|lower|title|json)\\s+)?\\.(\\w+)");
    private static final Pattern LABEL = Pattern.compile("index\\s+\\.ContainerLabels\\s+\"([^\"]*)\"");
    private static final int SHORT_ID = 12;

    private LogTag() {}

    /// @throws IllegalArgumentException in Docker's words
    static String expand(String template, ContainerRecord container) {
        Matcher action = ACTION.matcher(template);
        var tag = new StringBuilder();
        while (action.find()) {
            String value = value(action.group(1), container)
                    .orElseThrow(() -> new IllegalArgumentException("template: log-tag:1: unsupported action " + action.group()));
            action.appendReplacement(tag, Matcher.quoteReplacement(value));
        }
        int plain = tag.length();
        action.appendTail(tag);
        if (tag.indexOf("{{", plain) >= 0) throw new IllegalArgumentException("template: log-tag:1: unclosed action");
        return tag.toString();
    }

    private static Optional<String> value(String action, ContainerRecord container) {
        Matcher label = LABEL.matcher(action);
        if (label.matches()) return Optional.of(container.config().labels().getOrDefault(label.group(1), ""));
        Matcher field = FIELD.matcher(action);
        if (!field.matches()) return Optional.empty();
        String value = fields(container).get(field.group(2));
        if (value == null) {
            throw new IllegalArgumentException("template: log-tag:1:2: executing \"log-tag\" at <." + field.group(2)
                    + ">: can't evaluate field " + field.group(2) + " in type *logger.Info");
        }
        return Optional.of(switch (field.group(1)) {
            case "upper" -> value.toUpperCase(Locale.ROOT);
            case "lower" -> value.toLowerCase(Locale.ROOT);
            case "title" -> value.isEmpty() ? "" : value.substring(0, 1).toUpperCase(Locale.ROOT) + value.substring(1);
            case "json" -> '"' + value + '"';
            case null, default -> value;
        });
    }

    private static Map<String, String> fields(ContainerRecord container) {
        String id = container.id().hex();
        String image = container.image();
        return Map.ofEntries(Map.entry("ID", id.substring(0, SHORT_ID)), Map.entry("FullID", id), Map.entry("ContainerID", id),
                Map.entry("Name", container.name()), Map.entry("ContainerName", "/" + container.name()),
                // Docker cuts `sha256:…` as if it were the id itself.
                Map.entry("ImageID", image.substring(0, Math.min(SHORT_ID, image.length()))), Map.entry("ImageFullID", image),
                Map.entry("ContainerImageID", image), Map.entry("ImageName", container.config().image()),
                Map.entry("ContainerImageName", container.config().image()), Map.entry("DaemonName", "docker"),
                Map.entry("Hostname", hostname()), Map.entry("Command", String.join(" ", container.config().arguments())));
    }

    private static String hostname() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
