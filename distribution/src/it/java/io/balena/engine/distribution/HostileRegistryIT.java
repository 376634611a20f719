package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Whatever a registry does: no image, no name, no layer and no folder comes of it, and the next pull works.
@Timeout(60)
class HostileRegistryIT {
    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(5, Compression.GZIP);
    private ScriptedRegistry registry;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        registry = new ScriptedRegistry();
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void close() throws IOException {
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test
    void aMissingManifest() throws IOException {
        registry.always("/1", ScriptedRegistry.error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
        assertFails(DistributionException.NotInRegistry.class, "manifest for " + name() + " not found: manifest unknown: manifest unknown");
        assertEquals(1, registry.requests("/1").size());
    }

    @Test
    void aMissingConfiguration() throws IOException {
        registry.always("" + image.id(), ScriptedRegistry.status(404, ""));
        assertFails(DistributionException.NotInRegistry.class, "not found");
    }

    @Test
    void aMissingLayer() throws IOException {
        registry.always("" + image.blob(2), ScriptedRegistry.error(404, "BLOB_UNKNOWN", "blob unknown to registry"));
        assertFails(DistributionException.NotInRegistry.class, "blob unknown: blob unknown to registry");
        assertEquals(1, registry.requests("" + image.blob(2)).size());
    }

    @Test
    void aRefusal() throws IOException {
        registry.always("/1", ScriptedRegistry.status(401, ""));
        assertFails(DistributionException.Unauthorized.class, "unauthorized: authentication required");
        registry.always("/1", ScriptedRegistry.status(403, ""));
        assertFails(DistributionException.NotInRegistry.class, "pull access denied for " + registry.host() + "/app");
    }

    @Test
    void aServerErrorThatPasses() throws IOException {
        registry.next("/1", ScriptedRegistry.status(500, ""), ScriptedRegistry.status(502, ""));
        registry.next("" + image.id(), ScriptedRegistry.status(503, ""));
        registry.next("" + image.blob(1), ScriptedRegistry.status(500, ""));
        Engine.Messages messages = new Engine.Messages();
        assertEquals(image.id(), engine.pull(name(), messages));
        assertEquals(1, messages.count(image.blob(1).shortHex() + ": Retrying in 1 second"));
    }

    @Test
    void aServerErrorThatStays() throws IOException {
        registry.always("" + image.blob(1), ScriptedRegistry.status(500, ""));
        assertFails(DistributionException.Unavailable.class, "500");
        assertEquals(3, registry.requests("" + image.blob(1)).size());
    }

    @Test
    void aManifestOfAnotherDigest() throws IOException {
        Digest digest = Digest.of(image.manifest(Manifest.OCI_MANIFEST).toString().getBytes(UTF_8));
        registry.always("" + digest, ScriptedRegistry.bytes("{}".getBytes(UTF_8)));
        assertEquals(
                "manifest verification failed for digest " + digest,
                assertThrows(DistributionException.InvalidContent.class, () -> engine.pull(registry.host() + "/app@" + digest)).getMessage());
        engine.assertEmpty();
    }

    @Test
    void aConfigurationOfAnotherDigest() throws IOException {
        byte[] other = image.configJson();
        other[other.length - 2] ^= 1;
        registry.always("" + image.id(), ScriptedRegistry.bytes(other));
        assertFails(DistributionException.InvalidContent.class, "image config verification failed for digest " + image.id());
    }

    @Test
    void aLayerOfAnotherDigest() throws IOException {
        byte[] other = CompressionTest.pack(Compression.GZIP, image.layers().get(0).tar()).clone();
        other[4] ^= 1; // the time in the gzip header: it unpacks to the same tar
        registry.always("" + image.blob(0), ScriptedRegistry.bytes(other));
        assertFails(DistributionException.InvalidContent.class, "filesystem layer verification failed for digest " + image.blob(0));
        assertEquals(1, registry.requests("" + image.blob(0)).size());
    }

    @Test
    void aTruncatedLayer() throws IOException {
        byte[] blob = image.layers().get(3).blob();
        registry.always("" + image.blob(3), ScriptedRegistry.bytes(Arrays.copyOf(blob, blob.length - 100)));
        assertFails(DistributionException.InvalidContent.class, "bytes in the registry");
    }

    @Test
    void garbageInsteadOfALayer() throws IOException {
        TestImage garbage = TestImage.ofLayers(2, Compression.GZIP).addTar(TestImage.noise(5000, 1), Compression.NONE);
        garbage.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "failed to register layer: ");
    }

    @Test
    void garbageBehindAGzipHeader() throws IOException {
        byte[] blob = TestImage.noise(5000, 2);
        blob[0] = 0x1f;
        blob[1] = (byte) 0x8b;
        blob[2] = 8;
        blob[3] = 0;
        TestImage garbage = TestImage.ofLayers(2, Compression.GZIP).addTar(blob, Compression.NONE);
        garbage.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "failed to register layer: gzip: ");
    }

    @Test
    void aLayerThatUnpacksToAnotherOne() throws IOException {
        ObjectNode rootfs = image.config().putObject("rootfs").put("type", "layers");
        var diffIds = rootfs.putArray("diff_ids");
        for (int i = 0; i < 5; i++) diffIds.add("" + (i == 4 ? Digest.of(new byte[1]) : image.layers().get(i).diffId().digest()));
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "layers from manifest don't match image configuration");
    }

    @Test
    void aConfigurationWithAnotherNumberOfLayers() throws IOException {
        image.config().putObject("rootfs").put("type", "layers").putArray("diff_ids").add("" + image.layers().getFirst().diffId());
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "layers from manifest don't match image configuration");
    }

    @Test
    void aConfigurationThatIsNone() throws IOException {
        image.config().put("rootfs", "/");
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "invalid rootfs in image configuration");
    }

    @Test
    void anImageForAnotherSystem() throws IOException {
        image.config().put("os", "windows");
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "image operating system \"windows\" cannot be used on this platform");
    }

    @Test
    void anEndlessManifest() throws IOException {
        registry.always("/1", (exchange, _) -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] blanks = " ".repeat(1 << 20).getBytes(UTF_8);
            for (int i = 0; i < 10_000; i++) exchange.getResponseBody().write(blanks);
        });
        assertFails(DistributionException.InvalidContent.class, "larger than 4194304 bytes");
    }

    @Test
    void aConfigurationTooLargeToBeOne() throws IOException {
        ObjectNode manifest = image.manifest(Manifest.OCI_MANIFEST);
        ((ObjectNode) manifest.get("config")).put("size", 5_000_000_000L);
        registry.putManifest("app", "1", manifest.toString().getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "larger than 4194304 bytes");
    }

    @Test
    void aListOfLists() throws IOException {
        ObjectNode index = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.OCI_INDEX);
        byte[] inner = index.toString().getBytes(UTF_8);
        index.putArray("manifests").add(TestImage.descriptor(Manifest.OCI_INDEX, inner));
        registry.putManifest("app", "inner", inner, Manifest.OCI_INDEX);
        registry.putManifest("app", "1", index.toString().getBytes(UTF_8), Manifest.OCI_INDEX);
        assertFails(DistributionException.InvalidContent.class, "unsupported manifest format");
    }

    @Test
    void anImageWithoutLayersIsOneToo() throws IOException {
        TestImage empty = TestImage.empty();
        empty.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        assertEquals(empty.id(), engine.pull(name()));
        assertEquals(List.of(), engine.images.resolve(name()).diffIds());
    }

    @Test
    void aManifestWithoutLayersForAConfigurationWithSome() throws IOException {
        ObjectNode manifest = image.manifest(Manifest.OCI_MANIFEST);
        manifest.putArray("layers");
        registry.putManifest("app", "1", manifest.toString().getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "layers from manifest don't match image configuration");
    }

    @Test
    void digestsOfAnotherKind() throws IOException {
        String manifest = image.manifest(Manifest.OCI_MANIFEST).toString().replace("" + image.blob(1), "sha512:" + "ab".repeat(64));
        registry.putManifest("app", "1", manifest.getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "unsupported digest algorithm: sha512:");
    }

    @Test
    void whatIsNoImage() throws IOException {
        String chart = image.manifest(Manifest.OCI_MANIFEST).toString()
                .replace("application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json");
        registry.putManifest("app", "1", chart.getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "unsupported media type application/vnd.cncf.helm.config.v1+json");
        String plugin = chart.replace("application/vnd.cncf.helm.config.v1+json", "application/vnd.docker.plugin.v1+json");
        registry.putManifest("app", "1", plugin.getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertFails(DistributionException.InvalidContent.class, "Encountered remote \"application/vnd.docker.plugin.v1+json\"(plugin) when fetching");
    }

    /// As dockerd on Linux: a manifest cannot make us ask anybody else for anything.
    @Test
    void aForeignLayerIsAskedOfTheRegistryAndOfNobodyElse() throws IOException {
        try (ScriptedRegistry other = new ScriptedRegistry()) {
            other.putBlob("app", image.layers().get(1).blob());
            ObjectNode manifest = image.manifest(Manifest.SCHEMA2);
            ((ObjectNode) manifest.path("layers").get(1)).put("mediaType", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
                    .putArray("urls").add("http://" + other.host() + "/v2/app/blobs/" + image.blob(1));
            registry.putManifest("app", "1", manifest.toString().getBytes(UTF_8), Manifest.SCHEMA2);
            registry.always("" + image.blob(1), ScriptedRegistry.error(404, "BLOB_UNKNOWN", "blob unknown to registry"));
            assertFails(DistributionException.NotInRegistry.class, "blob unknown: blob unknown to registry");
            assertEquals(List.of(), other.requests());
        }
    }

    @Test
    void schema1() throws IOException {
        registry.putManifest("app", "1", "{\"schemaVersion\":1}".getBytes(UTF_8), "application/vnd.docker.distribution.manifest.v1+prettyjws");
        assertFails(DistributionException.InvalidContent.class, "schema 1 support has been removed");
    }

    @Test
    void aDroppedConnectionIsTakenUpWhereItBroke() throws IOException {
        for (int i = 0; i < 5; i++) registry.next("" + image.blob(i), registry.dropAfter(3_000 + i), registry.dropAfter(5_000));
        assertEquals(image.id(), engine.pull(name()));
        long wanted = image.layers().stream().mapToLong(layer -> layer.blob().length).sum() + image.configJson().length;
        long sentBeforeTheBreaks = 5 * 8_000 + 10;
        // Not what was under way in the client when it learned of the break, but all that had reached us is used.
        assertTrue(registry.blobBytes() < wanted + sentBeforeTheBreaks);
        assertTrue(registry.requests().stream().anyMatch(request -> request.range().isPresent()));
        for (int i = 0; i < 5; i++) assertArrayEquals(TestImage.noise(20_000, i), Files.readAllBytes(engine.fileOf(image.id(), i, "file-" + i)));
    }

    @Test
    void aRegistryWithoutRanges() throws IOException {
        registry.next("" + image.blob(2), registry.dropAfter(7_000), ScriptedRegistry.ignoringRanges());
        assertEquals(image.id(), engine.pull(name()));
    }

    @Test
    void aConnectionThatAlwaysDrops() throws IOException {
        registry.always("" + image.blob(2), registry.dropAfter(0));
        assertFails(DistributionException.Unavailable.class, "");
        assertEquals(3, registry.requests("" + image.blob(2)).size());
    }

    @Test
    void nobodyListening() throws IOException {
        String host = registry.host();
        registry.close();
        assertFails(DistributionException.Unavailable.class, "Get \"http://" + host + "/v2/\": dial tcp " + host + ": connect: connection refused");
    }

    @Test
    void aLayerThatWantsToLeaveItsFolder() throws IOException {
        Path outside = root.resolve("outside");
        for (String escape : List.of("../../../outside", "/../../../../outside", outside.toString().substring(1))) {
            TestImage.empty().add(Map.of(escape, new byte[1]), Compression.GZIP).publish(registry, "app", "1", Manifest.OCI_MANIFEST);
            try {
                engine.pull(name());
                engine.images.remove(name(), true, true, _ -> List.of());
            } catch (DistributionException.InvalidContent e) {
                // Refused, which is as good as kept inside.
            }
            assertTrue(Files.notExists(outside), escape);
            engine.assertEmpty();
        }
    }

    @Test
    void afterAFailureTheNextPullWorks() throws IOException {
        registry.next("" + image.blob(4), ScriptedRegistry.status(404, ""));
        assertFails(DistributionException.NotInRegistry.class, "");
        assertEquals(image.id(), engine.pull(name()));
    }

    @Test
    void aFailedPullLeavesTheOldImageItsName() throws IOException {
        engine.pull(name());
        TestImage newer = TestImage.ofLayers(6, Compression.GZIP);
        newer.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
        registry.always("" + newer.blob(5), ScriptedRegistry.status(404, ""));
        assertThrows(DistributionException.NotInRegistry.class, () -> engine.pull(name()));
        assertEquals(image.id(), engine.images.resolve(name()).id());
        assertEquals(5, engine.namesIn("image/overlay2/layerdb/sha256").size());
    }

    private String name() {
        return registry.host() + "/app:1";
    }

    private void assertFails(Class<? extends DistributionException> kind, String message) throws IOException {
        DistributionException e = assertInstanceOf(kind, assertThrows(DistributionException.class, () -> engine.pull(name())));
        assertTrue(e.getMessage().contains(message), e.getMessage());
        engine.assertNothingIsUsed();
    }
}
