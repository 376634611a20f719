package io.balena.engine.daemon;

/// One of dockerd's settings: a flag, and the key of daemon.json that means the same.
///
/// @param shorthand 0 for none
/// @param key empty when the file cannot say it
/// @param absent value when nobody says anything, as shown by `--help`
record Option(String flag, char shorthand, Kind kind, String key, String absent, Effect effect, Check check, String help) {
    enum Kind { SWITCH, NUMBER, TEXT, LIST, MAP }

    enum Effect {
        HONOURED,
        /// Accepted, because scripts and unit files of existing devices give it; said once in the log.
        NOT_YET,
        /// Means nothing to this engine and never will: it is about parts of Docker that are not here.
        MEANINGLESS
    }

    /// Whether a single value makes sense.
    @FunctionalInterface
    interface Check {
        /// @throws IllegalArgumentException with dockerd's words
        void accept(String value);
    }

    boolean isMany() {
        return kind == Kind.LIST || kind == Kind.MAP;
    }

    /// As pflag names it in messages: `-H, --host`.
    String display() {
        return shorthand == 0 ? "--" + flag : "-" + shorthand + ", --" + flag;
    }

    /// @throws IllegalArgumentException with Go's and dockerd's words
    void validate(String value) {
        switch (kind) {
            case SWITCH -> parseSwitch(value);
            case NUMBER -> parseNumber(value);
            case TEXT, LIST, MAP -> {}
        }
        check.accept(value);
    }

    static boolean parseSwitch(String value) {
        return switch (value) {
            case "1", "t", "T", "TRUE", "true", "True" -> true;
            case "0", "f", "F", "FALSE", "false", "False" -> false;
            default -> throw new IllegalArgumentException("strconv.ParseBool: parsing \"" + value + "\": invalid syntax");
        };
    }

    private static void parseNumber(String value) {
        try {
            Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("strconv.ParseInt: parsing \"" + value + "\": invalid syntax");
        }
    }
}
