package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.Container;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.process.HomeFolder;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import io.balena.engine.runtime.spec.TerminalRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// `exec`.
final class ExecCommand {
    private final OciRuntime runtime;

    ExecCommand(OciRuntime runtime) {
        this.runtime = runtime;
    }

    int perform(CommandWords words) throws IOException {
        var container = runtime.known(words.arguments().getFirst());
        switch (container.status()) {
            case STOPPED -> throw failure("cannot exec in a stopped container");
            case PAUSED -> {
                if (!words.has("ignore-paused")) {
                    throw failure("cannot exec in a paused container (use --ignore-paused to override)");
                }
            }
            case CREATED, RUNNING -> {}
        }
        boolean detached = words.has("detach");
        var process = HomeFolder.given(process(container, words), Path.of("/proc/" + container.process().pid() + "/root"));
        var size = process.consoleSize();
        var request = new TerminalRequest(
                process.terminal(), size == null ? 0 : size.height(), size == null ? 0 : size.width());
        int inherited = InheritedDescriptors.count(words);
        try (var streams = CommandStreams.prepare(process.terminal(), detached, words.value("console-socket"), request)) {
            var made = container.exec(process, streams.childs(), inherited);
            try (var child = made.pidFd()) {
                streams.made(made);
                PidFile.write(words.value("pid-file"), child.pid());
                if (detached) return 0;
                streams.attach(child);
                return streams.await(child);
            }
        }
    }

    private static RuntimeSpec.Process process(Container container, CommandWords words) throws IOException {
        var first = container.spec().process();
        String file = words.value("process");
        if (file != null) return completed(SpecReader.process(Files.readAllBytes(Path.of(file))), first);
        List<String> args = words.arguments().subList(1, words.arguments().size());
        if (args.isEmpty()) throw failure("process args cannot be empty");
        List<String> env = new ArrayList<>(first.env());
        env.addAll(words.values("env"));
        String apparmor = words.value("apparmor", first.apparmorProfile());
        return new RuntimeSpec.Process(
                words.has("tty"),
                null,
                user(first.user(), words),
                args,
                env,
                words.value("cwd", first.cwd()),
                capabilities(first.capabilities(), words.values("cap")),
                first.rlimits(),
                words.has("no-new-privs") || first.noNewPrivileges(),
                apparmor,
                first.oomScoreAdj(),
                words.value("process-label", first.selinuxLabel()));
    }

    /// What such a file does not say is as for the container's first process.
    private static RuntimeSpec.Process completed(RuntimeSpec.Process process, RuntimeSpec.Process first) {
        return new RuntimeSpec.Process(
                process.terminal(),
                process.consoleSize(),
                process.user(),
                process.args(),
                process.env(),
                process.cwd(),
                process.capabilities() == null ? first.capabilities() : process.capabilities(),
                process.rlimits().isEmpty() ? first.rlimits() : process.rlimits(),
                process.noNewPrivileges(),
                process.apparmorProfile() == null ? first.apparmorProfile() : process.apparmorProfile(),
                process.oomScoreAdj() == null ? first.oomScoreAdj() : process.oomScoreAdj(),
                process.selinuxLabel());
    }

    /// `uid`, `uid:gid`.
    private static RuntimeSpec.User user(RuntimeSpec.User first, CommandWords words) throws ContainerFailure {
        int uid = first.uid();
        int gid = first.gid();
        String user = words.value("user");
        try {
            if (user != null) {
                int colon = user.indexOf(':');
                if (colon >= 0) gid = Integer.parseUnsignedInt(user.substring(colon + 1));
                uid = Integer.parseUnsignedInt(colon < 0 ? user : user.substring(0, colon));
            }
            List<Integer> groups = new ArrayList<>(first.additionalGids());
            for (String value : words.values("additional-gids")) groups.add(Integer.parseUnsignedInt(value));
            return new RuntimeSpec.User(uid, gid, first.umask(), groups);
        } catch (NumberFormatException e) {
            throw failure("converting " + user + " to int for uid failed: " + e.getMessage());
        }
    }

    private static RuntimeSpec.Capabilities capabilities(RuntimeSpec.Capabilities first, List<String> added) {
        if (added.isEmpty()) return first;
        var base = first == null ? new RuntimeSpec.Capabilities(null, null, null, null, null) : first;
        return new RuntimeSpec.Capabilities(
                with(base.bounding(), added),
                with(base.effective(), added),
                base.inheritable(),
                with(base.permitted(), added),
                with(base.ambient(), added));
    }

    private static List<String> with(List<String> capabilities, List<String> added) {
        List<String> all = new ArrayList<>(capabilities);
        all.addAll(added);
        return all;
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
