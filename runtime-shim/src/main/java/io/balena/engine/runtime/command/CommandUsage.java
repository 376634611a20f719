package io.balena.engine.runtime.command;

/// The command line makes no sense.
final class CommandUsage extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient CommandVerb verb;

    /// @param verb whose help is to be shown; null when there is none
    CommandUsage(String message, CommandVerb verb) {
        super(message);
        this.verb = verb;
    }

    CommandVerb verb() {
        return verb;
    }
}
