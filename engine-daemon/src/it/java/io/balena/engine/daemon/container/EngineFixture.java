package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.HostDefaults;
import io.balena.engine.daemon.container.spec.SpecDefaults;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.volume.Volumes;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.FirewallSettings;
import io.balena.engine.network.Networks;
import io.balena.engine.network.NetworksConfig;
import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.runtime.client.ShimCommand;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Assumptions;

/// An engine without its API, with an image `bb` made of the machine's busybox, on folders of its own.
final class EngineFixture implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path BUSYBOX = Path.of("/bin/busybox");
    private static final List<String> PROGRAMS = List.of("sh", "true", "false", "echo", "sleep", "cat", "kill", "id", "mount", "touch");

    final Path dataRoot;
    final Path execRoot;
    final Events events = new Events();
    private LayerStore layers;
    private Networks networks;
    private Images images;
    ContainerEngine engine;

    EngineFixture(Path root) throws IOException {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        Assumptions.assumeTrue(Files.exists(BUSYBOX), "needs a busybox that is linked statically (Debian: busybox-static)");
        dataRoot = root.resolve("data");
        execRoot = root.resolve("exec");
        Files.createDirectories(dataRoot);
        Files.createDirectories(execRoot);
        open();
        images.importTar(new ByteArrayInputStream(rootfs()), Optional.of(ImageReference.parse("bb:latest")), "", List.of("ENV PATH=/bin"));
    }

    /// Opens the engine, as after a crash when it was open already.
    void open() throws IOException {
        layers = LayerStore.open(dataRoot);
        images = Images.open(dataRoot, layers);
        var shim = new ShimCommand(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-Xint", "-XX:+UseSerialGC",
                "-Xmx24m", "-XX:-UsePerfData", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                "io.balena.engine.runtime.shim.ShimMain"));
        // The machine under the test is left as it is.
        var alone = new NetworksConfig(Optional.empty(), List.of(), DefaultPools.DOCKERS, new FirewallSettings(false, false, false));
        networks = Networks.open(alone, dataRoot, execRoot.resolve("network"), List.of());
        engine = ContainerEngine.open(new ContainerEngine.Settings(dataRoot, execRoot, shim,
                HostDefaults.DOCKERS, SpecDefaults.DOCKERS, new DnsDefaults(List.of(), List.of(), List.of()), Optional.empty(),
                new Runtimes(Map.of()), List.of(), IdentityMapping.NONE, false), images, layers,
                Volumes.open(dataRoot, IdentityMapping.NONE, events), networks, events);
    }

    /// The engine is gone; containers and shim are not.
    void leave() throws IOException {
        engine.close();
        networks.close();
        layers.close();
    }

    Containers containers() {
        return engine.containers();
    }

    String create(String host, String... command) throws IOException {
        return create(Optional.empty(), host, command);
    }

    String create(Optional<String> name, String host, String... command) throws IOException {
        var body = JSON.createObjectNode().put("Image", "bb");
        Arrays.stream(command).forEach(body.putArray("Cmd")::add);
        JsonNode hostJson = JSON.readTree(host.isEmpty() ? "{}" : host);
        return engine.creation().create(new Creation.Request(name, ContainerConfig.read(body), HostConfig.read(hostJson),
                JSON.createObjectNode())).id().hex();
    }

    int await(String id) throws Exception {
        return containers().await(id, Containers.Condition.NOT_RUNNING).get(20, TimeUnit.SECONDS);
    }

    ContainerRecord record(String id) {
        return engine.store().find(id).record();
    }

    String log(String id) throws IOException {
        Path log = Path.of(record(id).logPath());
        return Files.exists(log) ? Files.readString(log) : "";
    }

    List<String> mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream().filter(line -> line.contains(dataRoot.toString())).toList();
    }

    List<String> left(Path folder) throws IOException {
        try (var entries = Files.list(folder)) {
            return entries.map(entry -> entry.getFileName().toString()).toList();
        }
    }

    private static byte[] rootfs() throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(bytes)) {
            for (String folder : List.of("bin/", "etc/", "tmp/", "proc/", "sys/", "dev/")) folder(tar, folder);
            file(tar, "bin/busybox", Files.readAllBytes(BUSYBOX), 0755);
            file(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n".getBytes(UTF_8), 0644);
            for (String program : PROGRAMS) {
                var link = new TarArchiveEntry("bin/" + program, TarConstants.LF_SYMLINK);
                link.setLinkName("busybox");
                tar.putArchiveEntry(link);
                tar.closeArchiveEntry();
            }
        }
        return bytes.toByteArray();
    }

    private static void folder(TarArchiveOutputStream tar, String name) throws IOException {
        var entry = new TarArchiveEntry(name);
        entry.setMode(0755);
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
    }

    private static void file(TarArchiveOutputStream tar, String name, byte[] content, int mode) throws IOException {
        var entry = new TarArchiveEntry(name);
        entry.setMode(mode);
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
    }

    @Override
    public void close() throws IOException {
        for (Container each : engine.store().all()) containers().remove(each.id().hex(), true, true);
        leave();
        String mine = execRoot.toString();
        ProcessHandle.allProcesses().filter(process -> process.info().commandLine().map(line -> line.contains("ShimMain") && line.contains(mine))
                .orElse(false)).forEach(shim -> {
                    shim.destroy();
                    shim.onExit().join();
                });
    }
}
