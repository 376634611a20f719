package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/// An image made by hand, which tests can spoil before they publish it.
final class TestImage {
    /// @param blob the tar as it goes over the wire
    record LayerOfTest(byte[] tar, byte[] blob, DiffId diffId) {}

    private final List<LayerOfTest> layers = new ArrayList<>();
    private final ObjectNode config = Json.MAPPER.createObjectNode();

    private TestImage() {
        config.put("architecture", Platform.ofThisMachine().architecture()).put("os", "linux");
        config.put("created", "2026-01-02T03:04:05Z");
        config.putObject("config").putArray("Cmd").add("/bin/true");
    }

    /// `count` layers, each with a file of its own name and some thousand bytes of noise.
    static TestImage ofLayers(int count, Compression compression) {
        TestImage image = new TestImage();
        for (int i = 0; i < count; i++) image.add(Map.of("file-" + i, noise(20_000, i)), compression);
        return image;
    }

    static TestImage empty() {
        return new TestImage();
    }

    TestImage add(Map<String, byte[]> files, Compression compression) {
        return addTar(tar(files), compression);
    }

    TestImage addTar(byte[] tar, Compression compression) {
        try {
            layers.add(new LayerOfTest(tar, CompressionTest.pack(compression, tar), new DiffId(Digest.of(tar))));
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    List<LayerOfTest> layers() {
        return List.copyOf(layers);
    }

    Digest blob(int layer) {
        return Digest.of(layers.get(layer).blob());
    }

    ObjectNode config() {
        return config;
    }

    byte[] configJson() {
        ObjectNode complete = config.deepCopy();
        if (!complete.has("rootfs")) {
            ArrayNode diffIds = complete.putObject("rootfs").put("type", "layers").putArray("diff_ids");
            layers.forEach(layer -> diffIds.add(layer.diffId().toString()));
        }
        return complete.toString().getBytes(UTF_8);
    }

    ImageId id() {
        return new ImageId(Digest.of(configJson()));
    }

    ObjectNode manifest(String mediaType) {
        ObjectNode manifest = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", mediaType);
        boolean oci = mediaType.equals(Manifest.OCI_MANIFEST);
        byte[] json = configJson();
        manifest.set("config", descriptor(
                oci ? "application/vnd.oci.image.config.v1+json" : "application/vnd.docker.container.image.v1+json", json));
        ArrayNode listed = manifest.putArray("layers");
        for (LayerOfTest layer : layers) {
            listed.add(descriptor(oci ? "application/vnd.oci.image.layer.v1.tar+gzip" : "application/vnd.docker.image.rootfs.diff.tar.gzip", layer.blob()));
        }
        return manifest;
    }

    /// @return the manifest's digest
    Digest publish(TestRegistry registry, String repository, String tag, String mediaType) throws IOException {
        for (LayerOfTest layer : layers) registry.putBlob(repository, layer.blob());
        registry.putBlob(repository, configJson());
        return registry.putManifest(repository, tag, manifest(mediaType).toString().getBytes(UTF_8), mediaType);
    }

    static ObjectNode descriptor(String mediaType, byte[] content) {
        return Json.MAPPER.createObjectNode().put("mediaType", mediaType).put("size", content.length).put("digest", Digest.of(content).toString());
    }

    static byte[] tar(Map<String, byte[]> files) {
        var bytes = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(bytes)) {
            for (var file : new LinkedHashMap<>(files).entrySet()) {
                var entry = new TarArchiveEntry(file.getKey());
                entry.setSize(file.getValue().length);
                entry.setModTime(0);
                tar.putArchiveEntry(entry);
                tar.write(file.getValue());
                tar.closeArchiveEntry();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static byte[] noise(int size, long seed) {
        byte[] noise = new byte[size];
        new Random(seed).nextBytes(noise);
        return noise;
    }
}
