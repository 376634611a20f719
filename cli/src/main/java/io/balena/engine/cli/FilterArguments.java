package io.balena.engine.cli;

import java.util.List;

/// `--filter NAME=VALUE`, as the API wants them: `{"NAME":{"VALUE":true}}`.
final class FilterArguments {
    private FilterArguments() {}

    static String json(List<String> filters) {
        var all = EngineClient.JSON.createObjectNode();
        for (var filter : filters) {
            int equals = filter.indexOf('=');
            if (equals < 0) throw new CommandFailed(1, "invalid filter '" + filter + "'");
            all.withObjectProperty(filter.substring(0, equals).strip().toLowerCase(java.util.Locale.ROOT))
                    .put(filter.substring(equals + 1).strip(), true);
        }
        return all.toString();
    }
}
