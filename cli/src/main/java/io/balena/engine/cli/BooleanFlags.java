package io.balena.engine.cli;

import java.util.Arrays;
import java.util.Set;

/// Docker's switches may carry a value: `--rm=true`, `--no-trunc=false`. Here they become plain ones or vanish.
final class BooleanFlags {
    /// Options that take a value which may happen to be `true` or `false`.
    private static final Set<String> WITH_VALUE = Set.of("--sig-proxy", "--env", "--label", "--name", "--hostname",
            "--entrypoint", "--user", "--filter", "--format", "--cidenv", "--stdin-open");

    private BooleanFlags() {}

    static String[] plain(String[] words) {
        return Arrays.stream(words).<String>mapMulti((word, keep) -> {
            int equals = word.indexOf('=');
            var value = equals < 0 ? "" : word.substring(equals + 1);
            boolean flag = word.startsWith("--") && (value.equals("true") || value.equals("false"))
                    && !WITH_VALUE.contains(word.substring(0, equals));
            if (!flag) keep.accept(word);
            else if (value.equals("true")) keep.accept(word.substring(0, equals));
        }).toArray(String[]::new);
    }
}
