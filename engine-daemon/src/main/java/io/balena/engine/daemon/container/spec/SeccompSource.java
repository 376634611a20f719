package io.balena.engine.daemon.container.spec;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Where a profile comes from.
public sealed interface SeccompSource {
    SeccompSource BUILTIN = new Builtin();

    /// Docker's default profile.
    record Builtin() implements SeccompSource {}

    /// No filter.
    record Unconfined() implements SeccompSource {}

    /// What a client has sent.
    record Inline(String json) implements SeccompSource {}

    /// A file that was read when the engine started.
    record FromFile(Path file, String json) implements SeccompSource {}

    /// What the engine's flag says.
    ///
    /// @param flag empty, `builtin`, `unconfined` or a path
    /// @throws IllegalArgumentException with dockerd's words when the file cannot be read
    static SeccompSource ofFlag(String flag) {
        switch (flag) {
            case "", "builtin" -> {
                return BUILTIN;
            }
            case "unconfined" -> {
                return new Unconfined();
            }
            default -> {}
        }
        try {
            return new FromFile(Path.of(flag), Files.readString(Path.of(flag), StandardCharsets.UTF_8));
        } catch (IOException e) {
            String why = Files.exists(Path.of(flag)) ? String.valueOf(e.getMessage()) : "no such file or directory";
            throw new IllegalArgumentException("opening seccomp profile (" + flag + ") failed: open " + flag + ": " + why);
        }
    }

    /// As `docker info` shows it.
    default String shown() {
        return switch (this) {
            case Builtin _ -> "builtin";
            case Unconfined _ -> "unconfined";
            case Inline _ -> "custom";
            case FromFile from -> from.file.toString();
        };
    }
}
