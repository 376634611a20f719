package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A layer of 10 GB of zeros in 10 MB of gzip, for an engine with a small disk and a small heap.
@Timeout(240)
class ZeroBombIT {
    private static final long ZEROS = 10L << 30;
    private static final int MEMBER = 64 << 20;

    @TempDir
    Path folder;

    @Test
    void theDiskIsTheLimitAndMemoryStaysFlatAndAllIsGivenBack() throws Exception {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "disks can be mounted only by root");
        try (SmallDisk disk = SmallDisk.mount(folder, 192); ScriptedRegistry registry = new ScriptedRegistry()) {
            Path root = disk.path().resolve("data");
            TestImage good = TestImage.ofLayers(3, Compression.GZIP);
            good.publish(registry, "app", "good", Manifest.OCI_MANIFEST);
            byte[] bomb = bomb();
            assertTrue(bomb.length < 12 << 20, () -> bomb.length + " bytes");
            publish(registry, bomb);

            Files.createDirectories(root);
            Engine.open(root).close();
            long before = disk.freeBytes();
            List<String> told = pullInChild(root, registry.host() + "/app:good", registry.host() + "/app:bomb", registry.host() + "/app:good");

            assertEquals("pulled", told.get(0));
            assertTrue(told.get(1).startsWith("failed to register layer: ") && told.get(1).toLowerCase().contains("no space left on device"), told.get(1));
            assertEquals("pulled", told.get(2));
            long growth = Long.parseLong(told.get(3));
            assertTrue(growth < 48 << 10, () -> "its peak grew by " + growth + " KiB: " + told);
            try (Engine engine = Engine.open(root)) {
                engine.images.remove(registry.host() + "/app:good", true, true, _ -> List.of());
                engine.assertEmpty();
            }
            long lost = before - disk.freeBytes();
            assertTrue(lost < 1 << 20, () -> lost + " bytes were not given back");
        }
    }

    /// A header for the file, and one gzip member of zeros again and again.
    private static byte[] bomb() throws IOException {
        var header = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(header)) {
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_STAR);
            TarArchiveEntry entry = new TarArchiveEntry("zeros");
            entry.setSize(ZEROS);
            tar.putArchiveEntry(entry);
            tar.flush();
        } catch (IOException e) {
            // Closed before its content, which comes from elsewhere.
        }
        var blob = new ByteArrayOutputStream();
        blob.writeBytes(CompressionTest.pack(Compression.GZIP, Arrays.copyOf(header.toByteArray(), 512)));
        byte[] member = CompressionTest.pack(Compression.GZIP, new byte[MEMBER]);
        for (long written = 0; written < ZEROS; written += MEMBER) blob.writeBytes(member);
        blob.writeBytes(CompressionTest.pack(Compression.GZIP, new byte[1024]));
        return blob.toByteArray();
    }

    private static void publish(ScriptedRegistry registry, byte[] bomb) {
        ObjectNode config = TestImage.empty().config();
        config.putObject("rootfs").put("type", "layers").putArray("diff_ids").add("" + Digest.of(new byte[1]));
        byte[] document = config.toString().getBytes(UTF_8);
        ObjectNode manifest = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.OCI_MANIFEST);
        manifest.set("config", TestImage.descriptor("application/vnd.oci.image.config.v1+json", document));
        manifest.putArray("layers").add(TestImage.descriptor("application/vnd.oci.image.layer.v1.tar+gzip", bomb));
        registry.putBlob("app", document);
        registry.putBlob("app", bomb);
        registry.putManifest("app", "bomb", manifest.toString().getBytes(UTF_8), Manifest.OCI_MANIFEST);
    }

    /// @return what came of each name, and last by how many KiB the peak of resident memory grew after the first
    private List<String> pullInChild(Path root, String... names) throws Exception {
        Path out = folder.resolve("child.out");
        List<String> command = new java.util.ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx64m",
                "-cp", System.getProperty("java.class.path"), Child.class.getName(), root.toString()));
        command.addAll(List.of(names));
        Process child = new ProcessBuilder(command).redirectError(folder.resolve("child.err").toFile()).redirectOutput(out.toFile()).start();
        assertEquals(0, child.waitFor(), () -> read(folder.resolve("child.err")));
        return read(out).lines().toList();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    static final class Child {
        public static void main(String[] arguments) throws IOException {
            Engine engine = Engine.open(Path.of(arguments[0]));
            long afterTheFirst = 0;
            for (int i = 1; i < arguments.length; i++) {
                try {
                    engine.pull(arguments[i]);
                    System.out.println("pulled");
                } catch (IOException | RuntimeException e) {
                    System.out.println(e.getMessage());
                }
                if (i == 1) afterTheFirst = peakKiB();
            }
            System.out.println(peakKiB() - afterTheFirst);
            engine.close();
        }

        private static long peakKiB() throws IOException {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst().orElseThrow();
        }
    }
}
