package io.balena.engine.runtime.command;

import java.util.ArrayList;
import java.util.List;

/// What can be asked of `balena-engine-runc`, and the flags of each, which are runc's.
///
/// @see <a href="https://github.com/opencontainers/runc/tree/v1.1.5/man">runc, manual pages</a>
enum CommandVerb {
    CREATE("create a container", "<container-id>", 1, 1,
            "bundle,b= console-socket= pid-file= no-pivot no-new-keyring preserve-fds="),
    DELETE("delete any resources held by the container", "<container-id>", 1, 1, "force,f"),
    EVENTS("display container events such as OOM notifications, cpu, memory, and IO usage statistics", "<container-id>", 1, 1,
            "interval= stats"),
    EXEC("execute new process inside the container", "<container-id> <command> [command options] || -p process.json <container-id>",
            1, Integer.MAX_VALUE,
            "console-socket= cwd= env,e= tty,t user,u= additional-gids,g= process,p= detach,d pid-file= process-label= apparmor= "
                    + "no-new-privs cap,c= preserve-fds= cgroup= ignore-paused"),
    FEATURES("show the enabled features", "", 0, 0, ""),
    KILL("kill sends the specified signal (default: SIGTERM) to the container's init process", "<container-id> [signal]", 1, 2, "all,a"),
    LIST("lists containers started by this runtime with the given root", "", 0, 0, "format,f= quiet,q"),
    PAUSE("pause suspends all processes inside the container", "<container-id>", 1, 1, ""),
    PS("ps displays the processes running inside a container", "<container-id> [ps options]", 1, Integer.MAX_VALUE, "format,f="),
    RESUME("resumes all processes that have been previously paused", "<container-id>", 1, 1, ""),
    RUN("create and run a container", "<container-id>", 1, 1,
            "bundle,b= console-socket= detach,d keep pid-file= no-subreaper no-pivot no-new-keyring preserve-fds="),
    SPEC("create a new specification file", "", 0, 0, "bundle,b= rootless"),
    START("executes the user defined process in a created container", "<container-id>", 1, 1, ""),
    STATE("output the state of a container", "<container-id>", 1, 1, ""),
    UPDATE("update container resource constraints", "<container-id>", 1, 1,
            "resources,r= blkio-weight= cpu-period= cpu-quota= cpu-share= cpu-rt-period= cpu-rt-runtime= cpuset-cpus= cpuset-mems= "
                    + "kernel-memory= kernel-memory-tcp= memory= memory-reservation= memory-swap= pids-limit= l3-cache-schema= mem-bw-schema=");

    /// Flags that stand before the verb.
    static final String GLOBAL = "debug log= log-format= root= criu= systemd-cgroup rootless= help,h version,v";

    private final String purpose;
    private final String arguments;
    private final int least;
    private final int most;
    private final String flags;

    CommandVerb(String purpose, String arguments, int least, int most, String flags) {
        this.purpose = purpose;
        this.arguments = arguments;
        this.least = least;
        this.most = most;
        this.flags = flags + " help,h";
    }

    static CommandVerb of(String word) throws CommandUsage {
        for (CommandVerb verb : values()) {
            if (verb.word().equals(word)) return verb;
        }
        throw new CommandUsage("No help topic for '" + word + "'", null);
    }

    String word() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }

    /// Takes the words behind the verb apart.
    CommandWords parse(String program, List<String> words) throws CommandUsage {
        // What follows the container's name is another program's.
        boolean flagsLead = this == EXEC || this == PS;
        CommandWords parsed = CommandWords.parse(flags, words, flagsLead, this);
        if (parsed.has("help")) return parsed;
        int count = parsed.arguments().size();
        if (count < least || count > most) {
            String wanted = least == most ? "exactly " + least
                    : count < least ? "a minimum of " + least
                    : "a maximum of " + most;
            throw new CommandUsage(program + ": \"" + word() + "\" requires " + wanted + " argument(s)", this);
        }
        return parsed;
    }

    String help(String program) {
        var text = new StringBuilder("NAME:\n   " + program + " " + word() + " - " + purpose + "\n\nUSAGE:\n   " + program + " " + word()
                + " [command options] " + arguments + "\n\nOPTIONS:\n");
        appendFlags(text, flags);
        return text.toString();
    }

    static String generalHelp(String program) {
        var text = new StringBuilder("NAME:\n   " + program + " - Open Container Initiative runtime\n\nUSAGE:\n   " + program
                + " [global options] command [command options] [arguments...]\n\nCOMMANDS:\n");
        for (CommandVerb verb : values()) {
            text.append("   ").append(verb.word()).append(" ".repeat(12 - verb.word().length())).append(verb.purpose).append('\n');
        }
        text.append("\nGLOBAL OPTIONS:\n");
        appendFlags(text, GLOBAL);
        return text.toString();
    }

    private static void appendFlags(StringBuilder text, String flags) {
        for (String flag : flags.split(" ")) {
            if (flag.isEmpty()) continue;
            boolean valued = flag.endsWith("=");
            List<String> names = new ArrayList<>();
            for (String name : (valued ? flag.substring(0, flag.length() - 1) : flag).split(",")) {
                names.add((name.length() == 1 ? "-" : "--") + name + (valued ? " value" : ""));
            }
            text.append("   ").append(String.join(", ", names)).append('\n');
        }
    }
}
