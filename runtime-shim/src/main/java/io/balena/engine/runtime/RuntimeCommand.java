package io.balena.engine.runtime;

import java.util.List;

/// The command line of another OCI runtime, such as runc or crun, whose verbs and options it must know.
///
/// @param program a path, or a name that is looked for in `PATH`
/// @param arguments that come before the options and the verb
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/runtime.md#operations">OCI runtime-spec, operations</a>
public record RuntimeCommand(String program, List<String> arguments) {
    public RuntimeCommand {
        arguments = List.copyOf(arguments);
    }
}
