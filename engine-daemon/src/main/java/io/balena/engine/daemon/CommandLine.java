package io.balena.engine.daemon;

import io.balena.engine.daemon.Option.Kind;

/// Reads the command line as pflag does, and complains in its words.
final class CommandLine {
    private CommandLine() {}

    /// The command line makes no sense; the message says why.
    static final class UsageException extends Exception {
        private static final long serialVersionUID = 1L;

        UsageException(String message) {
            super(message);
        }
    }

    static Settings parse(String program, String... arguments) throws UsageException {
        var settings = new Settings();
        for (int i = 0; i < arguments.length; i++) {
            String argument = arguments[i];
            boolean flags = argument.length() > 1 && argument.startsWith("-") && !argument.equals("--");
            if (!flags) throw new UsageException("\"" + program + "\" accepts no arguments.");
            String next = i + 1 < arguments.length ? arguments[i + 1] : null;
            boolean tookNext = argument.startsWith("--") ? readLong(settings, argument.substring(2), next) : readShort(settings, argument, next);
            if (tookNext) i++;
        }
        return settings;
    }

    /// @return whether the value was the next argument
    private static boolean readLong(Settings settings, String text, String next) throws UsageException {
        int equals = text.indexOf('=');
        String name = equals < 0 ? text : text.substring(0, equals);
        Option option = Options.byFlag(name).orElseThrow(() -> new UsageException("unknown flag: --" + name));
        if (equals >= 0) {
            set(settings, option, text.substring(equals + 1));
            return false;
        }
        if (option.kind() == Kind.SWITCH) {
            set(settings, option, "true");
            return false;
        }
        if (next == null) throw new UsageException("flag needs an argument: --" + name);
        set(settings, option, next);
        return true;
    }

    /// Letters together: switches, and at most one with a value, which may follow at once, after `=`, or as the next argument.
    private static boolean readShort(Settings settings, String argument, String next) throws UsageException {
        for (int at = 1; at < argument.length(); at++) {
            char letter = argument.charAt(at);
            Option option = Options.byShorthand(letter)
                    .orElseThrow(() -> new UsageException("unknown shorthand flag: '" + letter + "' in " + argument));
            String rest = argument.substring(at + 1);
            if (rest.startsWith("=")) {
                set(settings, option, rest.substring(1));
                return false;
            }
            if (option.kind() == Kind.SWITCH) {
                set(settings, option, "true");
                continue;
            }
            if (!rest.isEmpty()) {
                set(settings, option, rest);
                return false;
            }
            if (next == null) throw new UsageException("flag needs an argument: '" + letter + "' in " + argument);
            set(settings, option, next);
            return true;
        }
        return false;
    }

    private static void set(Settings settings, Option option, String value) throws UsageException {
        try {
            option.validate(value);
        } catch (IllegalArgumentException e) {
            throw new UsageException("invalid argument \"" + value + "\" for \"" + option.display() + "\" flag: " + e.getMessage());
        }
        settings.add(option, value);
    }

    static String usage(String program) {
        var text = new StringBuilder("\nUsage:  " + program + " [OPTIONS]\n\nA container engine for devices.\n\nOptions:\n");
        Options.ALL.stream()
                .filter(option -> option.effect() != Option.Effect.MEANINGLESS)
                .sorted(java.util.Comparator.comparing(Option::flag))
                .forEach(option -> {
                    String kind = switch (option.kind()) {
                        case SWITCH -> "";
                        case NUMBER -> " int";
                        case TEXT -> " string";
                        case LIST -> " list";
                        case MAP -> " map";
                    };
                    String name = (option.shorthand() == 0 ? "      " : "  -" + option.shorthand() + ", ") + "--" + option.flag() + kind;
                    String absent = option.absent().isEmpty() ? "" : " (default " + option.absent() + ")";
                    text.append(name).repeat(" ", Math.max(1, 46 - name.length())).append(option.help()).append(absent).append('\n');
                });
        return text.toString();
    }
}
