package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class PushedManifestTest {
    private static final Descriptor CONFIG = new Descriptor(
            Manifest.SCHEMA2_CONFIG, Digest.parse("sha256:fc457b078fb48536331cfd266da0a25d8829afaa7eaa8e046890b0dd2b36d6c8"), 1216);

    @Test
    void itIsTheOneThatDockerMakes() {
        PushedManifest manifest = PushedManifest.of(CONFIG, List.of(
                layer("sha256:5e20f46ec3ac105b0de1652abbf3ee53323fe5a8b12f613d5727b9749b8dabcf", 1064366),
                layer("sha256:ef081ea8e0acb7df64ed1895ed916cbb98d79e4d3d0aeb03917e36e9f42e7d3e", 107)));
        assertEquals("sha256:d28499092b1aa6c0d177da17562ce0cd260357566677ad3cdc08efdfecd6a38f", manifest.digest().toString());
        assertEquals(735, manifest.content().length);
    }

    @Test
    void anImageWithoutLayersHasAnEmptyList() {
        assertEquals("""
                {
                   "schemaVersion": 2,
                   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                   "config": {
                      "mediaType": "application/vnd.docker.container.image.v1+json",
                      "size": 1216,
                      "digest": "sha256:fc457b078fb48536331cfd266da0a25d8829afaa7eaa8e046890b0dd2b36d6c8"
                   },
                   "layers": []
                }""", new String(PushedManifest.of(CONFIG, List.of()).content(), UTF_8));
    }

    @Test
    void aForeignLayerKeepsItsAddresses() throws IOException {
        ObjectNode foreign = PushedManifest.foreign(Json.MAPPER.readTree("""
                {"urls":["https://elsewhere/a"],"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                 "digest":"sha256:ef081ea8e0acb7df64ed1895ed916cbb98d79e4d3d0aeb03917e36e9f42e7d3e","size":7}"""));
        assertEquals("{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"size\":7,"
                + "\"digest\":\"sha256:ef081ea8e0acb7df64ed1895ed916cbb98d79e4d3d0aeb03917e36e9f42e7d3e\","
                + "\"urls\":[\"https://elsewhere/a\"]}", foreign.toString());
    }

    private static ObjectNode layer(String digest, long size) {
        return PushedManifest.layer(new Descriptor(Manifest.SCHEMA2_LAYER, Digest.parse(digest), size));
    }
}
