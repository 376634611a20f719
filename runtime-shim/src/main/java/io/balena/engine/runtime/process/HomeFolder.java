package io.balena.engine.runtime.process;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The variable `HOME`, which a program gets also where its bundle does not say it: its user's folder, as the container's
/// `/etc/passwd` has it, or `/`.
public final class HomeFolder {
    private static final String VARIABLE = "HOME=";
    private static final int LONGEST = 1 << 20;

    private HomeFolder() {}

    /// @param root of the container
    public static RuntimeSpec.Process given(RuntimeSpec.Process process, Path root) {
        for (String variable : process.env()) {
            if (variable.startsWith(VARIABLE) && variable.length() > VARIABLE.length()) return process;
        }
        List<String> env = new ArrayList<>(process.env());
        env.add(VARIABLE + of(Integer.toUnsignedString(process.user().uid()), passwd(root)));
        return new RuntimeSpec.Process(
                process.terminal(),
                process.consoleSize(),
                process.user(),
                process.args(),
                env,
                process.cwd(),
                process.capabilities(),
                process.rlimits(),
                process.noNewPrivileges(),
                process.apparmorProfile(),
                process.oomScoreAdj(),
                process.selinuxLabel());
    }

    /// `name:password:uid:gid:comment:home:shell`
    static String of(String uid, String passwd) {
        for (String line : passwd.split("\n")) {
            String[] fields = line.split(":", -1);
            if (fields.length >= 6 && fields[2].equals(uid) && !fields[5].isEmpty()) return fields[5];
        }
        return "/";
    }

    /// No link in the container leads out of it here.
    private static String passwd(Path root) {
        var files = new FileCalls();
        byte[] content = new byte[4096];
        int length = 0;
        try {
            int folder = files.open(root, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC);
            try {
                byte[] name = "etc/passwd".getBytes(StandardCharsets.US_ASCII);
                int file = files.openBy(folder, name, OpenFlags.RDONLY | OpenFlags.NONBLOCK, OpenFlags.RESOLVE_IN_ROOT);
                try {
                    for (int count; (count = files.read(file, content, length, content.length - length)) > 0; ) {
                        length += count;
                        if (length == LONGEST) break;
                        if (length == content.length) content = java.util.Arrays.copyOf(content, 2 * length);
                    }
                } finally {
                    files.close(file);
                }
            } finally {
                files.close(folder);
            }
        } catch (ErrnoException _) {
            // then nobody has a folder
        }
        return new String(content, 0, length, StandardCharsets.UTF_8);
    }
}
