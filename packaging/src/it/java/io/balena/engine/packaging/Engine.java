package io.balena.engine.packaging;

import io.balena.engine.packaging.contract.Exchanges;
import io.balena.engine.packaging.contract.RecordingRelay;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A running engine from the installable tree, in a network namespace and folders of its own, so that neither the
/// machine nor another engine on it is touched.
///
/// With `-Dengine.under.test=dockerd` it is Debian's dockerd instead: what a test demands of us, it can show of that.
final class Engine implements AutoCloseable {
    static final Path DIST = Path.of(System.getProperty("engine.dist", "dist/balena-engine"));
    static final boolean PEER = System.getProperty("engine.under.test", "").equals("dockerd");
    /// Whether what is said is to be held against the API's description, by `ContractIT`.
    private static final boolean RECORDED = Boolean.getBoolean("api.recorded");
    private static final AtomicInteger COUNT = new AtomicInteger();

    private final String name = "it-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet();
    private final Path root = Path.of("/tmp", "balena-" + name);
    private final List<String> flags;
    private Program program = PEER ? Program.DOCKERD : Program.OURS;
    private RecordingRelay relay;
    private Process daemon;
    private List<String> around = List.of();

    /// Whose daemon it is.
    enum Program { OURS, DOCKERD }

    private Engine(String... flags) {
        this.flags = List.of(flags);
    }

    /// An engine with a bridge, NAT and all, in a network of its own.
    static Engine start(String... flags) {
        return prepare(flags).started();
    }

    /// An engine that is yet to be started: its data root may be filled, or mounted, before.
    static Engine prepare(String... flags) {
        assumeRunnable();
        return new Engine(flags).prepared();
    }

    /// An engine that runs within something else, such as `nsenter --mount=…`.
    static Engine startWithin(List<String> around, String... flags) {
        assumeRunnable();
        var engine = new Engine(flags);
        engine.around = around;
        return engine.prepared().started();
    }

    private Engine prepared() {
        try {
            Files.createDirectories(root);
            Command.of("ip", "netns", "add", name).run().succeeded();
            inside("ip", "link", "set", "lo", "up").run().succeeded();
            if (RECORDED) relay = RecordingRelay.start(socket(), ownSocket(), () -> program == Program.OURS ? Exchanges.Engine.OURS : Exchanges.Engine.DOCKERD);
            return this;
        } catch (IOException e) {
            close();
            throw new UncheckedIOException(e);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private Engine started() {
        try {
            startDaemon();
            return this;
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /// Debian's dockerd in an engine's place, in the way of a machine that has never seen another.
    static Engine startDockerd(String... flags) {
        assumeRunnable();
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/dockerd")), "needs dockerd");
        var engine = new Engine(flags);
        engine.program = Program.DOCKERD;
        return engine.prepared().started();
    }

    /// Stops the daemon and starts another on the same data root.
    void switchTo(Program other) {
        stopDaemon();
        startDaemon(other);
    }

    void startDaemon(Program other) {
        program = other;
        startDaemon();
    }

    static void assumeRunnable() {
        assumeTrue(Command.of("id", "-u").run().out().strip().equals("0"), "needs root");
        assumeTrue(PEER || Files.isExecutable(DIST.resolve("bin/balena-engine-daemon")), "needs ./build to have made " + DIST);
        assumeTrue(!PEER || Files.isExecutable(Path.of("/usr/sbin/dockerd")), "needs dockerd");
        assumeTrue(DockerCli.newest() != null, "needs the docker command line");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/ip")) || Files.isExecutable(Path.of("/sbin/ip")), "needs iproute2");
    }

    /// Where clients come.
    Path socket() {
        return root.resolve("sock");
    }

    /// Where the daemon itself listens.
    Path ownSocket() {
        return RECORDED ? root.resolve("engine.sock") : socket();
    }

    Path log() {
        return root.resolve("log");
    }

    Path data() {
        return root.resolve("data");
    }

    /// What is on a memory file system, on a device.
    Path exec() {
        return root.resolve("exec");
    }

    /// A folder that goes away with the engine.
    Path scratch() {
        try {
            return Files.createTempDirectory(root, "scratch");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// A command in the engine's network namespace.
    Command inside(String... words) {
        return Command.of("nsenter", "--net=/run/netns/" + name).and(words);
    }

    String networkNamespace() {
        return name;
    }

    Api api() {
        return new Api(socket());
    }

    DockerCli docker() {
        return new DockerCli(DockerCli.newest(), "unix://" + socket(), null);
    }

    DockerCli docker(Path program, String host) {
        return new DockerCli(program, host, name);
    }

    /// Our own command line, over the unix socket.
    DockerCli balena() {
        return new DockerCli(DIST.resolve("bin/balena-engine"), "unix://" + socket(), null);
    }

    ProcessHandle daemon() {
        return daemon.toHandle();
    }

    void startDaemon() {
        var words = new ArrayList<String>(List.of("nsenter", "--net=/run/netns/" + name));
        words.addAll(around);
        words.add(program == Program.DOCKERD ? "/usr/sbin/dockerd" : DIST.resolve("bin/balena-engine-daemon").toString());
        words.addAll(List.of("-H", "unix://" + ownSocket(), "--data-root", data().toString(),
                "--exec-root", root.resolve(program == Program.DOCKERD ? "docker" : "exec").toString(),
                "--pidfile", root.resolve("pid").toString()));
        if (PEER || program == Program.OURS) words.addAll(List.of("-H", "tcp://127.0.0.1:2375"));
        if (PEER) words.add("--live-restore");
        words.addAll(flags);
        try {
            var builder = new ProcessBuilder(words).redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()));
            builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
            daemon = builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // dockerd waits 15 s for an insecure TCP listener to be reconsidered, and a machine may be busy.
        if (!become(Duration.ofMinutes(2), () -> !daemon.isAlive() || answers()) || !daemon.isAlive()) {
            throw new AssertionError("the engine did not start:\n" + logTail());
        }
    }

    /// Types into a container, whatever it has for input; what it says meanwhile is left to its log.
    void type(String container, String text) {
        String request = "POST /containers/" + container + "/attach?stream=1&stdin=1 HTTP/1.1\\r\\nHost: engine\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\n\\r\\n";
        Command.of("sh", "-c", "(printf '" + request + "'; sleep 0.5; echo '" + text + "'; sleep 0.5) | socat -t1 - UNIX-CONNECT:" + socket()).run();
    }

    /// What the API answers, as clients of Docker 20.10 see it.
    com.fasterxml.jackson.databind.JsonNode get(String path) {
        var answer = Command.of("curl", "-s", "--max-time", "60", "--unix-socket", socket().toString(), "http://docker/v1.41" + path).run();
        try {
            return new com.fasterxml.jackson.databind.ObjectMapper().readTree(answer.succeeded());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean answers() {
        return Files.exists(ownSocket()) && Command.of("curl", "-fs", "--max-time", "5", "--unix-socket", socket().toString(),
                "http://docker/_ping").run().status() == 0;
    }

    /// As the power of a bad day does it: no chance to tidy up.
    void killDaemon() {
        daemon.destroyForcibly();
        ended(daemon);
    }

    /// As above, and the shim with it.
    void killAll() {
        killDaemon();
        for (boolean none = false; !none; none = become(Duration.ofSeconds(1), () -> shims().isEmpty())) {
            shims().forEach(ProcessHandle::destroyForcibly);
        }
    }

    /// The shim, of which there is one once there was a container.
    ProcessHandle shim() {
        return shims().getFirst();
    }

    /// Kills the shim alone. The daemon starts another.
    void killShim() {
        var shim = shim();
        shim.destroyForcibly();
        shim.onExit().join();
    }

    private List<ProcessHandle> shims() {
        return processes().stream().filter(process -> commandLine(process).contains("balena-engine-shim")).toList();
    }

    /// What a power cut leaves of an engine, ours or Docker's: files, and not those in memory file systems.
    void cutPower() {
        killAll();
        own().forEach(ProcessHandle::destroyForcibly);
        for (var container : Command.of("sh", "-c", "ls " + data() + "/containers").run().out().split("\\s+")) {
            // Who runs in a container names it in its cgroup only.
            Command.of("sh", "-c", "kill -9 $(cat /sys/fs/cgroup/pids/docker/" + container + "/cgroup.procs)").run();
        }
        if (!become(Duration.ofSeconds(10), () -> own().isEmpty())) throw new AssertionError("does not end: " + own());
        unmountAll(root.resolve("exec") + "/");
        unmountAll(data() + "/");
        Command.of("rm", "-rf", "--one-file-system", root.resolve("exec").toString(), ownSocket().toString()).run().succeeded();
    }

    /// Without the test's, such as a registry, which are on a machine that has power.
    private List<ProcessHandle> own() {
        return processes().stream().filter(process -> !commandLine(process).contains(root + "/scratch")).toList();
    }

    void stopDaemon() {
        daemon.destroy();
        ended(daemon);
    }

    private void ended(Process process) {
        try {
            if (!process.waitFor(40, TimeUnit.SECONDS)) throw new AssertionError("the daemon does not end:\n" + logTail());
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    String logTail() {
        try {
            var lines = Files.readAllLines(log());
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /// All processes of this engine, by the folder that their command lines name.
    List<ProcessHandle> processes() {
        return ProcessHandle.allProcesses().filter(p -> commandLine(p).contains(root + "/")).toList();
    }

    static String commandLine(ProcessHandle process) {
        try {
            return new String(Files.readAllBytes(Path.of("/proc/" + process.pid() + "/cmdline")),
                    java.nio.charset.StandardCharsets.UTF_8).replace('\0', ' ');
        } catch (IOException _) {
            return "";
        }
    }

    /// Waits for what comes about by itself, looking often; time is only the limit.
    static boolean become(Duration limit, BooleanSupplier state) {
        var end = Instant.now().plus(limit);
        while (!state.getAsBoolean()) {
            if (Instant.now().isAfter(end)) return false;
            java.util.concurrent.locks.LockSupport.parkNanos(30_000_000);
        }
        return true;
    }

    @Override public void close() {
        try {
            if (daemon != null && daemon.isAlive()) {
                var containers = docker().run("ps", "-aq").out().split("\\s+");
                if (!containers[0].isEmpty()) docker().run(Stream.concat(Stream.of("rm", "-f"), Stream.of(containers)).toArray(String[]::new));
                stopDaemon();
            }
        } finally {
            processes().forEach(ProcessHandle::destroyForcibly);
            become(Duration.ofSeconds(10), () -> processes().isEmpty());
            if (relay != null) relay.close();
            unmountAll(root + "/");
            Command.of("ip", "netns", "del", name).run();
            deleteAll();
        }
    }

    private static void unmountAll(String below) {
        try (var mounts = Files.lines(Path.of("/proc/self/mountinfo"))) {
            mounts.map(line -> line.split(" ")[4]).filter(point -> point.startsWith(below))
                    .sorted(Comparator.reverseOrder()).forEach(point -> Command.of("umount", "-l", point).run());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void deleteAll() {
        Command.of("rm", "-rf", "--one-file-system", root.toString()).run();
    }
}
