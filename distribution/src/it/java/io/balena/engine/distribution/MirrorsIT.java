package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Two mirrors before a Docker Hub of our own.
@Timeout(60)
class MirrorsIT {
    private static final String REPOSITORY = "library/app";
    private static final Credentials LOGIN = new Credentials.Password("user", "secret");

    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(3, Compression.GZIP);
    private ScriptedRegistry first;
    private ScriptedRegistry second;
    private ScriptedRegistry hub;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        first = new ScriptedRegistry();
        second = new ScriptedRegistry();
        hub = new ScriptedRegistry();
        image.publish(hub, REPOSITORY, "1", Manifest.SCHEMA2);
        List<URI> mirrors = List.of(URI.create("http://" + first.host()), URI.create("http://" + second.host()));
        URI hubAddress = URI.create("http://" + hub.host());
        engine = Engine.open(root, Duration.ofMillis(5), new RegistryEndpoints(InsecureRegistries.onLoopback(), mirrors, List.of(), Proxies.none(),
                new RegistryEndpoints.Hub(hubAddress, hubAddress)));
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
        for (ScriptedRegistry registry : List.of(first, second, hub)) registry.close();
    }

    @Test
    void whatAMirrorHasIsNotAskedOfAnybodyElse() throws IOException {
        image.publish(first, REPOSITORY, "1", Manifest.SCHEMA2);
        assertEquals(image.id(), pull());
        assertEquals(List.of(), second.requests());
        assertEquals(List.of(), hub.requests());
        assertEquals(image.id(), engine.images.resolve("app:1").id());
    }

    @Test
    void aMirrorNeverSeesCredentials() throws IOException {
        ScriptedRegistry.Answer challenge = (exchange, _) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Basic realm=\"r\"");
            exchange.sendResponseHeaders(401, -1);
        };
        first.always("/1", challenge);
        second.always("/1", challenge);
        hub.next("/1", challenge);
        assertEquals(image.id(), pull());
        assertTrue(first.requests().stream().allMatch(request -> request.authorization().isEmpty()));
        assertTrue(second.requests().stream().allMatch(request -> request.authorization().isEmpty()));
        assertTrue(hub.requests("/1").getLast().authorization().isPresent());
    }

    @Test
    void whatOneLacksComesFromTheNext() throws IOException {
        image.publish(second, REPOSITORY, "1", Manifest.SCHEMA2);
        assertEquals(image.id(), pull());
        assertEquals(1, first.requests().size());
        assertEquals(List.of(), hub.requests());
    }

    @Test
    void whatAllLackComesFromTheHub() throws IOException {
        assertEquals(image.id(), pull());
        assertEquals(1, first.requests().size());
        assertEquals(1, second.requests().size());
    }

    @Test
    void aMirrorThatIsDownOrFailsCostsOneQuestion() throws IOException {
        first.close();
        second.always("/1", ScriptedRegistry.status(503, ""));
        assertEquals(image.id(), pull());
        assertEquals(1, second.requests().size());
    }

    @Test
    void aMirrorThatLacksALayerIsLeft() throws IOException {
        image.publish(first, REPOSITORY, "1", Manifest.SCHEMA2);
        first.always("" + image.blob(1), ScriptedRegistry.status(404, ""));
        assertEquals(image.id(), pull());
    }

    @Test
    void aMirrorThatLiesIsLeft() throws IOException {
        image.publish(first, REPOSITORY, "1", Manifest.SCHEMA2);
        byte[] other = image.layers().get(1).blob().clone();
        other[4] ^= 1;
        first.always("" + image.blob(1), ScriptedRegistry.bytes(other));
        second.always("/1", ScriptedRegistry.bytes("{}".getBytes()));
        assertEquals(image.id(), pull());
        assertEquals(3, engine.namesIn("image/overlay2/layerdb/sha256").size());
    }

    @Test
    void whatNobodyHasIsRefusedInTheWordsOfTheHub() throws IOException {
        first.always("/2", ScriptedRegistry.error(403, "DENIED", "by the mirror"));
        hub.always("/2", ScriptedRegistry.error(404, "MANIFEST_UNKNOWN", "by the hub"));
        assertEquals("manifest for app:2 not found: manifest unknown: by the hub", assertThrows(DistributionException.NotInRegistry.class,
                () -> engine.puller.pull(ImageReference.parse("app:2"), Optional.empty(), LOGIN, new Engine.Messages())).getMessage());
        engine.assertEmpty();
    }

    @Test
    void otherRegistriesHaveNoMirrors() throws IOException {
        try (ScriptedRegistry other = new ScriptedRegistry()) {
            image.publish(other, "app", "1", Manifest.SCHEMA2);
            engine.pull(other.host() + "/app:1");
            assertEquals(List.of(), first.requests());
        }
    }

    private ImageId pull() throws IOException {
        return engine.puller.pull(ImageReference.parse("app:1"), Optional.empty(), LOGIN, new Engine.Messages());
    }
}
