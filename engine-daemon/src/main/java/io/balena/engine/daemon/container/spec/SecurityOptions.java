package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.List;
import java.util.Optional;

/// What `SecurityOpt` says.
///
/// @param noNewPrivileges empty for the engine's default
/// @param unconfined no seccomp filter
record SecurityOptions(Optional<Boolean> noNewPrivileges, boolean unconfined) {
    /// @throws InvalidRequest with Docker's words
    static SecurityOptions parse(List<String> options) {
        Optional<Boolean> noNewPrivileges = Optional.empty();
        boolean unconfined = false;
        for (String option : options) {
            if (option.equals("no-new-privileges")) {
                noNewPrivileges = Optional.of(true);
                continue;
            }
            // `=` since Docker 1.11, `:` before; a value may hold either.
            int separator = option.indexOf('=') >= 0 ? option.indexOf('=') : option.indexOf(':');
            if (separator < 0) throw new InvalidRequest("invalid --security-opt 1: \"" + option + "\"");
            String value = option.substring(separator + 1);
            switch (option.substring(0, separator)) {
                case "no-new-privileges" -> noNewPrivileges = Optional.of(bool(value));
                case "seccomp" -> {
                    if (!value.equals("unconfined") && !value.equals("builtin")) {
                        throw new InvalidRequest("custom seccomp profiles are not supported yet; use seccomp=unconfined or the default");
                    }
                    unconfined = value.equals("unconfined");
                }
                // Neither AppArmor nor SELinux confines containers here; clients name them all the same.
                case "apparmor", "label" -> {}
                default -> throw new InvalidRequest("invalid --security-opt 2: \"" + option + "\"");
            }
        }
        return new SecurityOptions(noNewPrivileges, unconfined);
    }

    private static boolean bool(String value) {
        return switch (value) {
            case "true", "1", "t", "T", "TRUE", "True" -> true;
            case "false", "0", "f", "F", "FALSE", "False" -> false;
            default -> throw new InvalidRequest("invalid --security-opt 2: \"no-new-privileges=" + value + "\"");
        };
    }
}
