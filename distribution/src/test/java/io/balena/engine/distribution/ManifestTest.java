package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class ManifestTest {
    private static final String DIGEST = "sha256:" + "ab".repeat(32);
    private static final String DESCRIPTOR = "{\"mediaType\":\"application/octet-stream\",\"size\":7,\"digest\":\"" + DIGEST + "\"}";
    private static final String IMAGE = "{\"schemaVersion\":2,\"config\":" + DESCRIPTOR + ",\"layers\":[" + DESCRIPTOR + "]}";

    @Test
    void anImageIsReadUnderAnyOfItsTypes() {
        for (String type : List.of(Manifest.SCHEMA2, Manifest.OCI_MANIFEST, "", "application/json")) {
            Manifest.OfImage image = assertInstanceOf(Manifest.OfImage.class, parse(IMAGE, type));
            assertEquals(7, image.layers().getFirst().size());
        }
    }

    @Test
    void anIndexKnowsEntriesWithoutPlatform() {
        Manifest.Index index = assertInstanceOf(Manifest.Index.class,
                parse("{\"schemaVersion\":2,\"manifests\":[" + DESCRIPTOR + "]}", Manifest.OCI_INDEX));
        assertEquals(DIGEST, index.choose(Platform.parse("linux/arm/v6")).digest().toString());
    }

    @Test
    void schema1IsRefusedWithAHintAtWhatToDo() {
        assertTrue(refusal("{\"schemaVersion\":1,\"fsLayers\":[]}").contains("schema 1 support has been removed"));
    }

    @Test
    void whatIsNeitherImageNorIndexIsRefused() {
        for (String json : List.of("", "[]", "null", "{", "{}", "{\"schemaVersion\":2}", "7",
                IMAGE.replace("sha256", "sha1"), IMAGE.replace(":7", ":-7"), IMAGE.replace(":7", ":1e99"), IMAGE.replace("\"size\":7,", ""),
                IMAGE.replace("\"layers\"", "\"manifests\":[],\"layers\""), "{\"config\":{},\"layers\":[]}",
                "[".repeat(100_000))) {
            refusal(json);
        }
    }

    private static String refusal(String json) {
        return assertThrows(DistributionException.InvalidContent.class, () -> parse(json, ""), json.substring(0, Math.min(60, json.length()))).getMessage();
    }

    private static Manifest parse(String json, String type) {
        return Manifest.parse(json.getBytes(UTF_8), type);
    }
}
