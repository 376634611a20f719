package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.List;
import java.util.Optional;

/// What `SecurityOpt` says. The last of several words about the same is valid.
///
/// @param noNewPrivileges empty for the engine's default
/// @param seccomp empty for the engine's default
/// @param apparmor the name of a profile, or `unconfined`; empty for the engine's default
record SecurityOptions(Optional<Boolean> noNewPrivileges, Optional<SeccompSource> seccomp, Optional<String> apparmor) {
    /// @throws InvalidRequest with Docker's words
    static SecurityOptions parse(List<String> options) {
        Optional<Boolean> noNewPrivileges = Optional.empty();
        Optional<SeccompSource> seccomp = Optional.empty();
        Optional<String> apparmor = Optional.empty();
        for (String option : options) {
            if (option.equals("no-new-privileges")) {
                noNewPrivileges = Optional.of(true);
                continue;
            }
            // `=` since Docker 1.11, `:` before; a value may hold either.
            int separator = option.indexOf('=') >= 0 ? option.indexOf('=') : option.indexOf(':');
            if (separator < 0) throw invalid(1, option);
            String value = option.substring(separator + 1);
            switch (option.substring(0, separator)) {
                case "no-new-privileges" -> noNewPrivileges = Optional.of(flag(value, option));
                case "seccomp" -> seccomp = seccomp(value);
                case "apparmor" -> apparmor = Optional.of(value).filter(name -> !name.isEmpty());
                // SELinux confines no containers here; clients name it all the same.
                case "label" -> {}
                // `systempaths` too: the command line turns it into MaskedPaths and ReadonlyPaths.
                default -> throw invalid(2, option);
            }
        }
        return new SecurityOptions(noNewPrivileges, seccomp, apparmor);
    }

    private static Optional<SeccompSource> seccomp(String value) {
        return switch (value) {
            case "" -> Optional.empty();
            case "unconfined" -> Optional.of(new SeccompSource.Unconfined());
            case "builtin" -> Optional.of(SeccompSource.BUILTIN);
            default -> Optional.of(new SeccompSource.Inline(value));
        };
    }

    private static boolean flag(String value, String option) {
        return switch (value) {
            case "true", "1", "t", "T", "TRUE", "True" -> true;
            case "false", "0", "f", "F", "FALSE", "False" -> false;
            default -> throw invalid(2, option);
        };
    }

    private static InvalidRequest invalid(int step, String option) {
        return new InvalidRequest("invalid --security-opt " + step + ": \"" + option.replace("\\", "\\\\").replace("\"", "\\\"") + "\"");
    }
}
