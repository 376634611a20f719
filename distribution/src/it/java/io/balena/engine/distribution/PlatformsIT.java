package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// One name, and another image under it for each platform.
@Timeout(60)
class PlatformsIT {
    private static final List<String> OFFERED = List.of(
            "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/amd64/v3", "linux/amd64", "linux/386", "linux/arm64", "windows/amd64", "unknown/unknown");

    @TempDir
    Path root;

    private final Map<String, TestImage> images = new LinkedHashMap<>();
    private ScriptedRegistry registry;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        registry = new ScriptedRegistry();
        for (String platform : OFFERED) images.put(platform, imageFor(platform));
        publishIndex("1", Manifest.OCI_INDEX, OFFERED);
    }

    @AfterEach
    void close() throws IOException {
        registry.close();
        if (engine != null) engine.close();
    }

    @ParameterizedTest(name = "{0} gets {1}")
    @CsvSource({
        "linux/arm/v5,   linux/arm/v5",
        "linux/arm/v6,   linux/arm/v6",
        "linux/arm/v7,   linux/arm/v7",
        "linux/arm,      linux/arm/v7",
        "linux/arm/v8,   linux/arm/v7",
        "linux/arm64,    linux/arm64",
        "linux/arm64/v8, linux/arm64",
        "linux/amd64,    linux/amd64",
        "linux/amd64/v2, linux/amd64",
        "linux/amd64/v4, linux/amd64/v3",
        "linux/386,      linux/386",
    })
    void eachMachineGetsTheBestItRuns(String asked, String given) throws IOException {
        Engine.Messages messages = new Engine.Messages();
        ImageId id = pull("1", asked, messages);
        assertEquals(images.get(given).id(), id);
        assertArrayEquals(given.getBytes(UTF_8), Files.readAllBytes(engine.fileOf(id, 0, "platform")));
        assertEquals(0, messages.count("WARNING"), messages.lines()::toString);
    }

    @Test
    void nothingToRunIsRefusedInDockersWords() throws IOException {
        publishIndex("2", Manifest.SCHEMA2_LIST, List.of("linux/arm/v7", "windows/amd64"));
        assertEquals("no matching manifest for linux/arm/v6 in the manifest list entries",
                assertThrows(DistributionException.NotInRegistry.class, () -> pull("2", "linux/arm/v6", new Engine.Messages())).getMessage());
        engine.assertEmpty();
    }

    @Test
    void anImageOfAnotherPlatformIsPulledWithAWarning() throws IOException {
        images.get("linux/arm/v7").publish(registry, "app", "only", Manifest.SCHEMA2);
        Engine.Messages messages = new Engine.Messages();
        pull("only", "linux/arm/v6", messages);
        assertEquals("WARNING: image with reference " + registry.host() + "/app:only was found but does not match the specified platform: "
                + "wanted linux/arm/v6, actual: linux/arm/v7", messages.lines().getLast());
        engine.pull(registry.host() + "/app:only", messages);
        assertEquals(1, messages.count("WARNING"));
    }

    @Test
    void allTagsArePulledAtOnce() throws IOException {
        images.get("linux/386").publish(registry, "app", "only", Manifest.SCHEMA2);
        registry.always("/tags/list", ScriptedRegistry.status(200, "{\"name\":\"app\",\"tags\":[\"1\",\"only\"]}"));
        Engine.Messages messages = new Engine.Messages();
        ImageReference all = ImageReference.parse(registry.host() + "/app");
        engine.puller.pullAllTags(all, Optional.of("linux/arm64"), new Credentials.Anonymous(), messages);
        assertEquals(images.get("linux/arm64").id(), engine.images.resolve(all.familiar() + ":1").id());
        assertEquals(images.get("linux/386").id(), engine.images.resolve(all.familiar() + ":only").id());
        assertEquals("Status: Downloaded newer image for " + all.familiar(), messages.lines().getLast());
        engine.puller.pullAllTags(all, Optional.of("linux/arm64"), new Credentials.Anonymous(), messages);
        assertEquals("Status: Image is up to date for " + all.familiar(), messages.lines().getLast());
    }

    @Test
    void theFirstTagThatFailsEndsItAndThoseBeforeStay() throws IOException {
        images.get("linux/386").publish(registry, "app", "only", Manifest.SCHEMA2);
        registry.always("/tags/list", ScriptedRegistry.status(200, "{\"tags\":[\"only\",\"gone\",\"1\"]}"));
        ImageReference all = ImageReference.parse(registry.host() + "/app");
        assertThrows(DistributionException.NotInRegistry.class,
                () -> engine.puller.pullAllTags(all, Optional.empty(), new Credentials.Anonymous(), new Engine.Messages()));
        assertEquals(1, engine.images.list().size());
        registry.always("/tags/list", ScriptedRegistry.status(200, "{\"tags\":[\"../evil\"]}"));
        assertThrows(DistributionException.InvalidContent.class,
                () -> engine.puller.pullAllTags(all, Optional.empty(), new Credentials.Anonymous(), new Engine.Messages()));
    }

    private ImageId pull(String tag, String platform, Progress progress) throws IOException {
        return engine.puller.pull(
                ImageReference.parse(registry.host() + "/app:" + tag), Optional.of(platform), new Credentials.Anonymous(), progress);
    }

    private static TestImage imageFor(String platform) {
        TestImage image = TestImage.empty().add(Map.of("platform", platform.getBytes(UTF_8)), Compression.GZIP);
        String[] parts = platform.split("/");
        image.config().put("os", parts[0]).put("architecture", parts[1]);
        if (parts.length > 2) image.config().put("variant", parts[2]);
        return image;
    }

    private void publishIndex(String tag, String type, List<String> platforms) throws IOException {
        ObjectNode index = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", type);
        String manifestType = type.equals(Manifest.OCI_INDEX) ? Manifest.OCI_MANIFEST : Manifest.SCHEMA2;
        for (String platform : platforms) {
            TestImage image = images.get(platform);
            image.publish(registry, "app", "of-" + platform.replace('/', '-'), manifestType);
            ObjectNode entry = index.withArray("manifests").addObject();
            entry.setAll(TestImage.descriptor(manifestType, image.manifest(manifestType).toString().getBytes(UTF_8)));
            String[] parts = platform.split("/");
            ObjectNode named = entry.putObject("platform").put("os", parts[0]).put("architecture", parts[1]);
            if (parts.length > 2) named.put("variant", parts[2]);
        }
        registry.putManifest("app", tag, index.toString().getBytes(UTF_8), type);
    }
}
