package io.balena.engine.runtime.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.cgroup.CgroupFiles;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.container.Bundle;
import io.balena.engine.runtime.shim.ShimMain;
import io.balena.engine.runtime.wire.Message;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;

/// A shim process of its own, and bundles for its containers. Ends and removes everything in [#close].
public final class ShimFixture implements AutoCloseable {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private static final String CGROUP = "balena-shim-it-" + ProcessHandle.current().pid();

    private final Path root;
    private Path folder;
    public final Path execRoot;
    final LinkedBlockingQueue<ShimEvent> events = new LinkedBlockingQueue<>();
    public Shim shim;
    private final List<Shim> others = new ArrayList<>();

    public ShimFixture(Path folder) throws IOException {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        Assumptions.assumeTrue(Files.isExecutable(Bundle.BUSYBOX), "needs a static busybox in /bin");
        this.root = folder;
        this.folder = folder;
        this.execRoot = folder.resolve("exec");
        this.shim = Shim.connect(execRoot, command(), events::add);
    }

    /// As a launcher starts it: interpreted, but for the one class that is hot.
    static ShimCommand command() {
        return new ShimCommand(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
                "-XX:CompileCommand=quiet",
                "-XX:CompileCommand=compileonly,io.balena.engine.runtime.log.JsonText::*",
                "-Xss256k",
                "-Xmx16m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                ShimMain.class.getName()));
    }

    /// What another daemon would have.
    Shim connectAgain(LinkedBlockingQueue<ShimEvent> heard) throws IOException {
        Shim another = Shim.connect(execRoot, command(), heard::add);
        others.add(another);
        return another;
    }

    public static String newId() {
        return "shim-" + ProcessHandle.current().pid() + "-" + NUMBER.incrementAndGet();
    }

    public static String cgroupsPath(String id) {
        return "/" + CGROUP + "/" + id;
    }

    /// Where bundles and logs go from now on.
    public Path newFolder(String name) throws IOException {
        folder = Files.createDirectory(root.resolve(name));
        events.clear();
        return folder;
    }

    public Bundle bundle() throws IOException {
        return Bundle.in(Files.createDirectory(folder.resolve("bundle" + NUMBER.incrementAndGet())));
    }

    String create(Bundle bundle, Stdio stdio) throws IOException {
        String id = newId();
        shim.create(id, bundle.write(cgroupsPath(id)), stdio);
        return id;
    }

    /// Runs it to its end.
    ExitStatus run(Bundle bundle, Stdio stdio) throws Exception {
        String id = create(bundle, stdio);
        shim.start(id);
        ExitStatus status = awaitExit(ProcessKey.container(id));
        shim.delete(ProcessKey.container(id));
        return status;
    }

    Stdio logged() {
        return new Stdio(false, false, Optional.of(Stdio.Log.jsonFile(log())));
    }

    Path log() {
        return folder.resolve("c-json.log");
    }

    public ExitStatus awaitExit(ProcessKey process) throws InterruptedException {
        return awaitExit(process, events);
    }

    public static ExitStatus awaitExit(ProcessKey process, LinkedBlockingQueue<ShimEvent> events) throws InterruptedException {
        List<ShimEvent> others = new ArrayList<>();
        while (true) {
            ShimEvent event = events.poll(20, TimeUnit.SECONDS);
            if (event == null) throw new AssertionError("no exit of " + process);
            if (event instanceof ShimEvent.Exited(ProcessKey key, ExitStatus status) && key.equals(process)) {
                events.addAll(others);
                return status;
            }
            others.add(event);
        }
    }

    /// Both streams, or a terminal's, as one text.
    static String readToTheEnd(AttachedStream stream, boolean terminal) throws IOException {
        var output = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(64 << 10);
        while (stream.read(piece.clear()) >= 0) output.write(piece.array(), 0, piece.position());
        if (terminal) return output.toString(UTF_8);
        byte[] framed = output.toByteArray();
        var text = new ByteArrayOutputStream();
        for (int at = 0; at < framed.length; ) {
            int length = Message.readInt(framed, at + 4);
            text.write(framed, at + 8, length);
            at += 8 + length;
        }
        return text.toString(UTF_8);
    }

    /// Reads until `wanted` has come.
    static String readUntil(AttachedStream stream, String wanted) throws IOException {
        StringBuilder text = new StringBuilder();
        ByteBuffer piece = ByteBuffer.allocate(4096);
        while (text.indexOf(wanted) < 0) {
            if (stream.read(piece.clear()) < 0) throw new AssertionError("end after: " + text);
            text.append(new String(piece.array(), 0, piece.position(), UTF_8));
        }
        return text.toString();
    }

    static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(UTF_8));
    }

    void removeContainers() throws Exception {
        for (Shim another : others) another.close();
        others.clear();
        for (Map.Entry<String, ContainerState> container : shim.list().entrySet()) {
            ProcessKey key = ProcessKey.container(container.getKey());
            if (container.getValue() instanceof ContainerState.Paused) shim.resume(container.getKey());
            if (container.getValue() instanceof ContainerState.Running || container.getValue() instanceof ContainerState.Paused) {
                shim.kill(key, 9);
                while (!(shim.list().get(container.getKey()) instanceof ContainerState.Stopped)) {
                    events.poll(50, TimeUnit.MILLISECONDS);
                }
            }
            shim.delete(key);
        }
    }

    @Override
    public void close() throws Exception {
        removeContainers();
        Optional<ProcessHandle> process = ProcessHandle.of(shim.pid());
        shim.endIfIdle();
        shim.close();
        process.ifPresent(handle -> handle.onExit().orTimeout(10, TimeUnit.SECONDS).join());
        for (Path root : Hierarchies.read().roots()) CgroupFiles.remove(root.resolve(CGROUP));
    }
}
