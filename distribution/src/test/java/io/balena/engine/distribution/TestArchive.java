package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;

/// An archive of images made by hand, which tests can spoil before it is loaded.
final class TestArchive {
    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final Map<String, String> links = new LinkedHashMap<>();
    private final ArrayNode manifest = Json.MAPPER.createArrayNode();
    private final ObjectNode index = Json.MAPPER.createObjectNode().put("schemaVersion", 2);

    private TestArchive() {}

    /// As Docker before 25 wrote it: a folder for each layer, the manifest last.
    static TestArchive docker(TestImage image, String... tags) {
        return new TestArchive().addDocker(image, tags);
    }

    /// @param refName its annotation; empty for none
    static TestArchive oci(TestImage image, String refName) {
        var archive = new TestArchive();
        archive.with("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
        return archive.addOci(image, refName, "");
    }

    static TestArchive empty() {
        return new TestArchive();
    }

    TestArchive addDocker(TestImage image, String... tags) {
        ObjectNode item = manifest.addObject();
        ArrayNode paths = Json.MAPPER.createArrayNode();
        for (int i = 0; i < image.layers().size(); i++) {
            String folder = Digest.of((image.id() + "/" + i).getBytes(UTF_8)).hex();
            with(folder + "/VERSION", "1.0").with(folder + "/json", "{}").with(folder + "/layer.tar", image.layers().get(i).blob());
            paths.add(folder + "/layer.tar");
        }
        String config = image.id().digest().hex() + ".json";
        with(config, image.configJson());
        item.put("Config", config);
        for (String tag : tags) item.withArray("RepoTags").add(tag);
        item.set("Layers", paths);
        return rewriteManifest();
    }

    TestArchive addOci(TestImage image, String refName, String platform) {
        for (TestImage.LayerOfTest layer : image.layers()) blob(layer.blob());
        blob(image.configJson());
        ObjectNode descriptor = blob(image.manifest(Manifest.OCI_MANIFEST).toString().getBytes(UTF_8));
        describe(descriptor.put("mediaType", Manifest.OCI_MANIFEST), refName, platform);
        index.withArray("manifests").add(descriptor);
        files.remove("index.json");
        return with("index.json", index.toString());
    }

    /// An index within the index, holding what the index held so far.
    TestArchive nested(String refName) {
        ObjectNode inner = blob(index.toString().getBytes(UTF_8));
        describe(inner.put("mediaType", Manifest.OCI_INDEX), refName, "");
        index.putArray("manifests").add(inner);
        return with("index.json", index.toString());
    }

    ObjectNode blob(byte[] content) {
        with("blobs/sha256/" + Digest.of(content).hex(), content);
        return TestImage.descriptor("", content);
    }

    private static void describe(ObjectNode descriptor, String refName, String platform) {
        if (!refName.isEmpty()) descriptor.putObject("annotations").put("org.opencontainers.image.ref.name", refName);
        String[] parts = platform.split("/");
        if (parts.length > 1) descriptor.putObject("platform").put("os", parts[0]).put("architecture", parts[1]);
    }

    private TestArchive rewriteManifest() {
        files.remove("manifest.json");
        return with("manifest.json", manifest.toString());
    }

    /// The first image of `manifest.json`; to be followed by [#manifest()].
    ObjectNode item() {
        return (ObjectNode) manifest.get(0);
    }

    TestArchive manifest() {
        return rewriteManifest();
    }

    TestArchive with(String path, String content) {
        return with(path, content.getBytes(UTF_8));
    }

    TestArchive with(String path, byte[] content) {
        files.put(path, content);
        return this;
    }

    TestArchive without(String path) {
        files.remove(path);
        return this;
    }

    TestArchive link(String path, String target) {
        files.remove(path);
        links.put(path, target);
        return this;
    }

    /// Has a file come first.
    TestArchive first(String path) {
        byte[] content = files.remove(path);
        var others = new LinkedHashMap<>(files);
        files.clear();
        files.put(path, content);
        files.putAll(others);
        return this;
    }

    byte[] file(String path) {
        return files.get(path);
    }

    String layerPath(int layer) {
        return item().path("Layers").path(layer).asText();
    }

    byte[] tar() {
        var bytes = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(bytes)) {
            for (var link : links.entrySet()) {
                var entry = new TarArchiveEntry(link.getKey(), TarConstants.LF_SYMLINK, true);
                entry.setLinkName(link.getValue());
                tar.putArchiveEntry(entry);
                tar.closeArchiveEntry();
            }
            for (var file : files.entrySet()) {
                var entry = new TarArchiveEntry(file.getKey(), true);
                entry.setSize(file.getValue().length);
                tar.putArchiveEntry(entry);
                tar.write(file.getValue());
                tar.closeArchiveEntry();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    InputStream stream() {
        return new ByteArrayInputStream(tar());
    }
}
