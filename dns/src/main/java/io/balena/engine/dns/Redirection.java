package io.balena.engine.dns;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Pipe;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// Leads port 53 of 127.0.0.11 to where the resolver listens, by Docker's rules in the container's own tables. So the port stays free for
/// a name server in the container.
///
/// `iptables-restore` is executed in the namespace by a child that joins it: no thread of this process has to.
record Redirection(Outlet.Ports ports) {
    private static final String ADDRESS = "127.0.0.11";
    private static final int CLONE_NEWNET = 0x40000000;
    private static final int SIG_SETMASK = 2;
    private static final int SIGKILL = 9;
    private static final int FIRST_PASSED = 8;
    private static final int PATIENCE_MILLIS = 20_000;
    private static final List<String> FOLDERS = List.of("/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin");

    /// @throws IOException in iptables' words, or when the machine does not have it
    void apply(NetworkNamespace namespace) throws IOException {
        String emptied = "*nat\n:DOCKER_OUTPUT - [0:0]\n:DOCKER_POSTROUTING - [0:0]\n";
        // In a namespace that has had no resolver yet, which is the rule, the chains are new.
        Optional<String> failure = run(namespace, "*nat\n-N DOCKER_OUTPUT\n-N DOCKER_POSTROUTING\n" + jumps("-A") + rules() + "COMMIT\n");
        if (failure.isPresent()) failure = run(namespace, emptied + jumps("-D") + jumps("-A") + rules() + "COMMIT\n");
        // Somebody has taken the jumps away, but not the chains.
        if (failure.isPresent()) failure = run(namespace, emptied + jumps("-A") + rules() + "COMMIT\n");
        if (failure.isPresent()) throw new IOException("names in the container cannot be led to the engine: " + failure.get());
    }

    private static String jumps(String verb) {
        return verb + " OUTPUT -d " + ADDRESS + "/32 -j DOCKER_OUTPUT\n" + verb + " POSTROUTING -d " + ADDRESS + "/32 -j DOCKER_POSTROUTING\n";
    }

    private String rules() {
        String own = ADDRESS + "/32 -p ";
        return "-A DOCKER_OUTPUT -d " + own + "tcp -m tcp --dport 53 -j DNAT --to-destination " + ADDRESS + ":" + ports.tcp() + "\n"
                + "-A DOCKER_OUTPUT -d " + own + "udp -m udp --dport 53 -j DNAT --to-destination " + ADDRESS + ":" + ports.udp() + "\n"
                + "-A DOCKER_POSTROUTING -s " + own + "tcp -m tcp --sport " + ports.tcp() + " -j SNAT --to-source :53\n"
                + "-A DOCKER_POSTROUTING -s " + own + "udp -m udp --sport " + ports.udp() + " -j SNAT --to-source :53\n";
    }

    private static Path program() throws IOException {
        String path = System.getenv().getOrDefault("PATH", "");
        for (String folder : (path + ":" + String.join(":", FOLDERS)).split(":")) {
            Path program = Path.of(folder, "iptables-restore");
            if (!folder.isEmpty() && Files.isExecutable(program)) return program;
        }
        throw new IOException("names in containers need iptables-restore, which is not there");
    }

    /// @return what the program says of its failure
    private static Optional<String> run(NetworkNamespace namespace, String batch) throws IOException {
        Path executable = program();
        Pipe input = Pipe.open();
        Pipe output = Pipe.open();
        try (Fd batchEnd = input.writeEnd(); Fd saidEnd = output.readEnd()) {
            try (var program = new SyscallProgram(); Fd in = input.readEnd(); Fd out = output.writeEnd();
                    Fd childsIn = in.duplicate(FIRST_PASSED); Fd childsOut = out.duplicate(FIRST_PASSED);
                    Fd network = namespace.fd().duplicate(FIRST_PASSED)) {
                program.add(Syscall.SETNS, "setns", "the container's network", network.number(), CLONE_NEWNET);
                program.add(Syscall.DUP3, "dup3", "stdin", childsIn.number(), 0, 0);
                program.add(Syscall.DUP3, "dup3", "stdout", childsOut.number(), 1, 0);
                program.add(Syscall.DUP3, "dup3", "stderr", childsOut.number(), 2, 0);
                program.add(Syscall.CLOSE_RANGE, "close_range", null, 3, 0xFFFFFFFFL, 0);
                program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, SIG_SETMASK, program.space(8), 0, 8);
                List<String> arguments = List.of(executable.toString(), "--wait=10", "--noflush");
                program.add(Syscall.EXECVE, "exec", executable, program.text(executable.toString()), program.texts(arguments),
                        program.texts(List.of("LC_ALL=C", "PATH=" + String.join(":", FOLDERS))));
                // Far less than a pipe holds, so nobody has to read yet.
                Files.write(Path.of("/proc/self/fd/" + batchEnd.number()), batch.getBytes(UTF_8));
                batchEnd.close();
                try (var child = program.spawn(0)) {
                    in.close();
                    out.close();
                    childsIn.close();
                    childsOut.close();
                    boolean ended = child.awaitEnded(PATIENCE_MILLIS);
                    if (!ended) child.signal(SIGKILL);
                    int code = child.awaitEnd();
                    if (code == 0) return Optional.empty();
                    return Optional.of(ended ? said(saidEnd, code) : executable + " did not end");
                }
            }
        }
    }

    private static String said(Fd from, int code) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] some = new byte[4096];
        for (int count = from.read(some); count > 0; count = from.read(some)) all.write(some, 0, count);
        return all.toString(UTF_8).strip() + " (exit status " + code + ")";
    }
}
