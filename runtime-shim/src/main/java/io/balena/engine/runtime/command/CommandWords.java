package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// The words of a command line, taken apart as Go's flag package does: one dash or two, values as the next word or after `=`.
final class CommandWords {
    private final Map<String, List<String>> flags = new HashMap<>();
    private final List<String> arguments = new ArrayList<>();

    private CommandWords() {}

    /// @param known names separated by blanks; `name,n` are two for one flag, `name=` takes a value
    /// @param flagsLead whether the first word that is no flag ends them
    /// @param verb for the message
    static CommandWords parse(String known, List<String> words, boolean flagsLead, CommandVerb verb) throws CommandUsage {
        var parsed = new CommandWords();
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.length() < 2 || word.charAt(0) != '-') {
                parsed.arguments.add(word);
                if (!flagsLead) continue;
                parsed.arguments.addAll(words.subList(i + 1, words.size()));
                break;
            }
            if (word.equals("--")) {
                parsed.arguments.addAll(words.subList(i + 1, words.size()));
                break;
            }
            String name = word.substring(word.startsWith("--") ? 2 : 1);
            int equals = name.indexOf('=');
            String value = equals < 0 ? null : name.substring(equals + 1);
            if (equals >= 0) name = name.substring(0, equals);
            String flag = flagOf(known, name);
            if (flag == null) throw new CommandUsage("flag provided but not defined: -" + name, verb);
            if (flag.endsWith("=")) {
                if (value == null && ++i == words.size()) throw new CommandUsage("flag needs an argument: -" + name, verb);
                if (value == null) value = words.get(i);
            } else if (value == null) {
                value = "true";
            }
            parsed.add(longName(flag), value);
        }
        return parsed;
    }

    private void add(String flag, String value) {
        List<String> values = flags.get(flag);
        if (values == null) flags.put(flag, values = new ArrayList<>());
        values.add(value);
    }

    private static String flagOf(String known, String name) {
        for (String flag : known.split(" ")) {
            String names = flag.endsWith("=") ? flag.substring(0, flag.length() - 1) : flag;
            for (String candidate : names.split(",")) {
                if (candidate.equals(name) && !name.isEmpty()) return flag;
            }
        }
        return null;
    }

    private static String longName(String flag) {
        int end = flag.indexOf(',');
        if (end < 0) end = flag.endsWith("=") ? flag.length() - 1 : flag.length();
        return flag.substring(0, end);
    }

    List<String> arguments() {
        return arguments;
    }

    boolean has(String flag) {
        List<String> values = flags.get(flag);
        return values != null && !values.getLast().equals("false");
    }

    /// The last one given; null when there is none.
    String value(String flag) {
        List<String> values = flags.get(flag);
        return values == null ? null : values.getLast();
    }

    String value(String flag, String otherwise) {
        String value = value(flag);
        return value == null ? otherwise : value;
    }

    List<String> values(String flag) {
        return flags.getOrDefault(flag, List.of());
    }

    /// @param otherwise when it was not given
    int number(String flag, int otherwise) throws ContainerFailure {
        String value = value(flag);
        if (value == null) return otherwise;
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException _) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid value \"" + value + "\" for flag -" + flag);
        }
    }
}
