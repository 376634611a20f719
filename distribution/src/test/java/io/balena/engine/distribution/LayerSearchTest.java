package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.distribution.LayerSearch.Found;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Layer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LayerSearchTest {
    private static final byte[] BLOB = TestImage.noise(1000, 1);
    private static final Digest DIGEST = Digest.of(BLOB);
    private static final DiffId LAYER = new DiffId(Digest.of(new byte[] {0}));
    private static final int SMALL = 1000;
    private static final int LARGE = 20 << 20;

    @TempDir
    Path root;

    private Credentials credentials = new Credentials.Anonymous();
    private ScriptedRegistry registry;
    private BlobRecords records;

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        records = new BlobRecords(root);
    }

    @AfterEach
    void stop() {
        registry.close();
    }

    @Test
    void aLayerThatWasPulledFromTheRepositoryIsThere() throws IOException {
        registry.putBlob("app", BLOB);
        records.record(pulled(DIGEST), LAYER, at("app"));
        assertEquals(new Found.InRepository(new Descriptor(Manifest.SCHEMA2_LAYER, DIGEST, 1000)), search(SMALL));
        assertEquals(List.of("HEAD"), methods());
    }

    @Test
    void aLayerOfWhichNothingIsKnownIsNotAskedFor() throws IOException {
        assertEquals(new Found.Nowhere(Optional.empty()), search(LARGE));
        assertEquals(List.of(), methods());
    }

    @Test
    void aLayerIsTakenFromAnotherRepositoryOfTheRegistry() throws IOException {
        registry.putBlob("team/base", BLOB);
        records.record(pulled(DIGEST), LAYER, at("team/base"));
        assertEquals(new Found.Mounted(new Descriptor(Manifest.SCHEMA2_LAYER, DIGEST, 1000), "team/base"), search(SMALL));
        assertEquals(at("app"), records.of(LAYER).getFirst().repository());
        assertEquals(new Found.InRepository(new Descriptor(Manifest.SCHEMA2_LAYER, DIGEST, 1000)), search(SMALL));
    }

    @Test
    void anotherRegistryIsNotAskedToLend() throws IOException {
        records.record(pulled(DIGEST), LAYER, "docker.io/library/busybox");
        assertEquals(new Found.Nowhere(Optional.empty()), search(SMALL));
        assertEquals(List.of("HEAD"), methods());
    }

    @Test
    void aDigestKnownFromAnotherRegistryMayBeInTheRepository() throws IOException {
        registry.putBlob("app", BLOB);
        records.record(pulled(DIGEST), LAYER, "docker.io/library/busybox");
        assertInstanceOf(Found.InRepository.class, search(SMALL));
        assertEquals(at("app"), records.of(LAYER).getFirst().repository());
    }

    @Test
    void theUploadThatARefusedMountBeginsIsUsed() throws IOException {
        registry.uploads().refuseMounts();
        records.record(pulled(DIGEST), LAYER, at("team/base"));
        assertTrue(assertInstanceOf(Found.Nowhere.class, search(SMALL)).begun().isPresent());
        assertEquals(1, registry.uploads().open());
        assertEquals(List.of(), records.of(LAYER), "it is not there any more");
    }

    @Test
    void uploadsThatAreNotNeededAreAbandoned() throws IOException {
        registry.uploads().refuseMounts();
        for (int i = 0; i < 6; i++) records.record(pulled(Digest.of(new byte[] {(byte) i})), LAYER, at("r" + i));
        assertInstanceOf(Found.Nowhere.class, search(LARGE));
        assertEquals(4, registry.requestsOf("POST").size());
        assertEquals(3, registry.requestsOf("HEAD").size());
        assertEquals(1, registry.uploads().open());
    }

    @Test
    void aSmallLayerIsAskedForOnceAndOneRepositoryToLendIt() throws IOException {
        registry.uploads().refuseMounts();
        for (int i = 0; i < 6; i++) records.record(pulled(Digest.of(new byte[] {(byte) i})), LAYER, at("r" + i));
        search(SMALL);
        assertEquals(List.of("HEAD", "POST"), methods());
    }

    @Test
    void theNearestRepositoryIsTriedFirst() throws IOException {
        records.record(pulled(DIGEST), LAYER, at("app/base"));
        for (int i = 0; i < 6; i++) records.record(pulled(Digest.of(new byte[] {(byte) i})), LAYER, at("r" + i));
        registry.putBlob("app/base", BLOB);
        assertEquals("app/base", assertInstanceOf(Found.Mounted.class, search(SMALL)).source());
    }

    @Test
    void whatTheSameLoginPushedIsTriedBeforeAll() throws IOException {
        credentials = new Credentials.Password("user", "secret");
        registry.putBlob("other", BLOB);
        records.record(LoginMark.of(credentials).mark(DIGEST, at("other")), LAYER);
        records.record(pulled(Digest.of(new byte[] {7})), LAYER, at("app/base"));
        assertEquals("other", assertInstanceOf(Found.Mounted.class, search(SMALL)).source());
    }

    @Test
    void aRegistryInTroubleIsNotForgotten() throws IOException {
        records.record(pulled(DIGEST), LAYER, at("team/base"));
        registry.nextOf("POST", ScriptedRegistry.status(503, ""));
        assertEquals(new Found.Nowhere(Optional.empty()), search(SMALL));
        assertEquals(1, records.of(LAYER).size());
    }

    @Test
    void whatIsGoneFromTheRepositoryIsForgotten() throws IOException {
        records.record(pulled(DIGEST), LAYER, at("app"));
        assertEquals(new Found.Nowhere(Optional.empty()), search(SMALL));
        assertEquals(List.of(), records.of(LAYER));
    }

    @Test
    void aMountIsAskedForWithATokenForBothRepositories() throws IOException {
        credentials = new Credentials.Password("user", "secret");
        registry.putBlob("team/base", BLOB);
        records.record(pulled(DIGEST), LAYER, at("team/base"));
        ScriptedRegistry.Answer challenge = (exchange, content) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer realm=\"http://" + registry.host() + "/token\",service=\"it\"");
            ScriptedRegistry.status(401, "").give(exchange, content);
        };
        registry.nextOf("HEAD", challenge);
        registry.next("scope=repository%3Aapp%3Apull%2Cpush&service=it", ScriptedRegistry.bytes("{\"token\":\"one\"}".getBytes()));
        registry.next("scope=repository%3Aapp%3Apull%2Cpush&scope=repository%3Ateam%2Fbase%3Apull&service=it",
                ScriptedRegistry.bytes("{\"token\":\"both\"}".getBytes()));
        assertInstanceOf(Found.Mounted.class, search(SMALL));
        assertEquals(Optional.of("Bearer both"), registry.requestsOf("POST").getLast().authorization());
        assertEquals(1, registry.requestsOf("POST").size(), "it knew already where to ask for a token");
    }

    private String at(String path) {
        return registry.host() + "/" + path;
    }

    private List<String> methods() {
        return registry.requests().stream().map(ScriptedRegistry.Request::method).toList();
    }

    private Found search(long size) throws IOException {
        ImageReference target = ImageReference.parse(at("app:1"));
        Layer layer = new Layer(ChainId.of(List.of(LAYER)).orElseThrow(), LAYER, Optional.empty(), size);
        RegistryConfig config = RegistryConfig.defaults("test");
        try (Repository repository = Repository.open(target, Access.PUSH, credentials, config, new HttpConnections())) {
            return new LayerSearch(new RemoteBlobs(repository, new Cancellation()), target, layer, credentials, records).run();
        }
    }

    private static Descriptor pulled(Digest blob) {
        return new Descriptor(Manifest.SCHEMA2_LAYER, blob, 1000);
    }
}
