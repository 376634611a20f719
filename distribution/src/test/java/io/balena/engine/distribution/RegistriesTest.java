package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class RegistriesTest {
    private static final Credentials NOBODY = new Credentials.Anonymous();
    private static final Credentials PASSWORD = new Credentials.Password("user", "secret");
    private static final Optional<String> BASIC = Optional.of("Basic " + Base64.getEncoder().encodeToString("user:secret".getBytes(UTF_8)));

    private ScriptedRegistry registry;
    private ScriptedRegistry hub;
    private Registries registries;

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        hub = new ScriptedRegistry();
        URI hubAddress = URI.create("http://" + hub.host());
        var endpoints = new RegistryEndpoints(InsecureRegistries.onLoopback(), List.of(URI.create("http://127.0.0.1:1")), List.of(), Proxies.none(),
                new RegistryEndpoints.Hub(hubAddress, hubAddress));
        registries = new Registries(new RegistryConfig("balenaEngine/test", endpoints, new RegistryConfig.Transfers(3, 3),
                new RegistryConfig.Transfers(5, 3), Duration.ofSeconds(5)));
    }

    @AfterEach
    void stop() {
        registry.close();
        hub.close();
    }

    @Test
    void anOpenRegistryLetsEverybodyIn() throws IOException {
        registry.always("/v2/", ScriptedRegistry.status(200, "{}"));
        assertEquals(Optional.empty(), registries.login(registry.host(), PASSWORD));
        assertEquals(Optional.empty(), registries.login("http://" + registry.host() + "/v1/", PASSWORD));
    }

    @Test
    void aGoodPasswordIsLetIn() throws IOException {
        registry.next("/v2/", challenge("Basic realm=\"r\""), ScriptedRegistry.status(200, "{}"));
        assertEquals(Optional.empty(), registries.login(registry.host(), PASSWORD));
        assertEquals(BASIC, registry.requests("/v2/").getLast().authorization());
    }

    @Test
    void aWrongPasswordIsRefusedAsByDockerd() {
        registry.always("/v2/", challenge("Basic realm=\"r\""));
        assertRefused(401, "login attempt to http://" + registry.host() + "/v2/ failed with status: 401 Unauthorized",
                () -> registries.login(registry.host(), PASSWORD));
        assertRefused(401, "Get \"http://" + registry.host() + "/v2/\": no basic auth credentials",
                () -> registries.login(registry.host(), NOBODY));
    }

    @Test
    void aLoginIsKeptByAnIdentityTokenWhereThereIsOne() throws IOException {
        registry.next("/v2/", bearer(), ScriptedRegistry.status(200, "{}"));
        registry.always("/token?account=user&client_id=balena-engine&offline_token=true&service=s",
                ScriptedRegistry.status(200, "{\"token\":\"abc\",\"refresh_token\":\"kept\"}"));
        assertEquals(Optional.of("kept"), registries.login(registry.host(), PASSWORD));
        assertEquals(Optional.of("Bearer abc"), registry.requests("/v2/").getLast().authorization());
    }

    @Test
    void theRefusalOfATokenServiceIsToldWithWhatWasAsked() {
        registry.always("/v2/", bearer());
        registry.always("service=s", ScriptedRegistry.status(401, "{\"details\":\"incorrect username or password\"}"));
        assertRefused(401, "Get \"http://" + registry.host() + "/v2/\": unauthorized: incorrect username or password",
                () -> registries.login(registry.host(), PASSWORD));
    }

    @Test
    void aLoginWithoutAddressGoesToTheHubItselfAndToNoMirror() throws IOException {
        hub.always("/v2/", ScriptedRegistry.status(200, "{}"));
        for (String server : List.of("", "https://index.docker.io/v1/", "docker.io")) registries.login(server, PASSWORD);
        assertEquals(3, hub.requests("/v2/").size());
    }

    @Test
    void anAddressThatIsNoneIsRefused() {
        for (String server : List.of("http://", "a b", "http://[", "user:secret@host", "https:///x")) {
            assertThrows(DistributionException.InvalidRequest.class, () -> registries.login(server, PASSWORD), server);
        }
    }

    @Test
    void nobodyThereReadsAsInDocker() {
        assertEquals("Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                assertThrows(DistributionException.Unavailable.class, () -> registries.login("127.0.0.1:1", PASSWORD)).getMessage());
    }

    @Test
    void anImageIsDescribedWithThePlatformOfItsConfiguration() throws IOException {
        TestImage image = TestImage.empty();
        image.config().put("architecture", "arm").put("variant", "v6").put("os.version", "1");
        Digest digest = image.publish(registry, "app", "1", Manifest.SCHEMA2);
        RemoteImage described = registries.describe(ImageReference.parse(registry.host() + "/app:1"), NOBODY);
        assertEquals(digest, described.digest());
        assertEquals(Manifest.SCHEMA2, described.mediaType());
        assertEquals(image.manifest(Manifest.SCHEMA2).toString().length(), described.size());
        assertEquals(List.of(new RemoteImage.OfferedPlatform("arm", "linux", "1", List.of(), "v6")), described.platforms());
    }

    @Test
    void anIndexIsDescribedWithAllItsPlatformsAsTheyAreSpelled() throws IOException {
        ObjectNode index = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", Manifest.OCI_INDEX);
        for (String variant : List.of("", "v8")) {
            ObjectNode entry = index.withArray("manifests").addObject();
            entry.setAll(TestImage.descriptor(Manifest.OCI_MANIFEST, variant.getBytes(UTF_8)));
            ObjectNode platform = entry.putObject("platform").put("os", "linux").put("architecture", "arm64");
            if (!variant.isEmpty()) platform.put("variant", variant);
        }
        Digest digest = registry.putManifest("app", "1", index.toString().getBytes(UTF_8), Manifest.OCI_INDEX);
        RemoteImage described = registries.describe(ImageReference.parse(registry.host() + "/app@" + digest), NOBODY);
        assertEquals(List.of("", "v8"), described.platforms().stream().map(RemoteImage.OfferedPlatform::variant).toList());
    }

    @Test
    void whatIsNoImageIsDescribedToo() throws IOException {
        ObjectNode chart = TestImage.empty().manifest(Manifest.OCI_MANIFEST);
        ((ObjectNode) chart.get("config")).put("mediaType", "application/vnd.cncf.helm.config.v1+json");
        registry.putManifest("app", "1", chart.toString().getBytes(UTF_8), Manifest.OCI_MANIFEST);
        assertEquals(List.of(), registries.describe(ImageReference.parse(registry.host() + "/app:1"), NOBODY).platforms());
    }

    @Test
    void refusalsKeepTheirStatus() {
        ImageReference name = ImageReference.parse(registry.host() + "/app:1");
        assertRefused(404, "manifest unknown: unknown", () -> registries.describe(name, NOBODY));
        registry.next("/1", ScriptedRegistry.error(403, "DENIED", "no"));
        assertRefused(403, "denied: no", () -> registries.describe(name, NOBODY));
        registry.next("/1", ScriptedRegistry.status(401, ""));
        assertRefused(401, "unauthorized: authentication required", () -> registries.describe(name, NOBODY));
    }

    @Test
    void theHubIsSearchedByItsIndex() throws IOException {
        hub.always("/v1/search?q=a+b%2Fc&n=25", ScriptedRegistry.status(200, "{\"results\":[{\"name\":\"x\",\"description\":\"d\",\"star_count\":7,"
                + "\"is_official\":true,\"is_automated\":false}]}"));
        assertEquals(List.of(new FoundRepository("x", "d", true, false, 7)), registries.search("a b/c", 25, NOBODY));
        hub.always("/v1/search?q=box&n=1", ScriptedRegistry.status(200, "{\"results\":[]}"));
        assertEquals(List.of(), registries.search("library/box", 1, NOBODY));
        assertEquals(List.of(), registries.search("docker.io/box", 1, NOBODY));
    }

    @Test
    void anotherRegistryIsSearchedByItsCatalogueWhenItKnowsNothingElse() throws IOException {
        registry.always("/v2/_catalog?n=1000", (exchange, content) -> {
            exchange.getResponseHeaders().set("Link", "</v2/_catalog?last=b>; rel=\"next\"");
            ScriptedRegistry.status(200, "{\"repositories\":[\"app\",\"b\"]}").give(exchange, content);
        });
        registry.always("last=b", ScriptedRegistry.status(200, "{\"repositories\":[\"my/apple\",\"c\"]}"));
        assertEquals(List.of(registry.host() + "/app", registry.host() + "/my/apple"),
                registries.search(registry.host() + "/app", 25, NOBODY).stream().map(FoundRepository::name).toList());
        registry.always("/v1/search?q=app&n=25", ScriptedRegistry.status(200, "{\"results\":[{\"name\":\"old\"}]}"));
        assertEquals("old", registries.search(registry.host() + "/app", 25, NOBODY).getFirst().name());
    }

    @Test
    void searchesFailInDockerdsWords() {
        assertEquals("Unexpected status code 404", assertThrows(
                DistributionException.Unavailable.class, () -> registries.search(registry.host() + "/app", 25, NOBODY)).getMessage());
        Map<String, String> refused = Map.of(
                "http://a/b", "Invalid repository name (ex: \"registry.domain.tld/myrepos\")",
                "a b.c/d", "invalid reference format");
        refused.forEach((term, message) -> assertEquals(message,
                assertThrows(DistributionException.InvalidRequest.class, () -> registries.search(term, 25, NOBODY)).getMessage()));
        assertThrows(DistributionException.InvalidRequest.class, () -> registries.search("a", 0, NOBODY));
        assertTrue(assertThrows(DistributionException.Unavailable.class, () -> registries.search("registry.invalid/a", 25, NOBODY)).getMessage()
                .contains("please add `--insecure-registry registry.invalid` to the daemon's arguments"));
    }

    private interface Question {
        Object ask() throws IOException;
    }

    private static void assertRefused(int status, String message, Question question) {
        DistributionException.Refused refused = assertThrows(DistributionException.Refused.class, question::ask);
        assertEquals(message, refused.getMessage());
        assertEquals(status, refused.status());
    }

    private ScriptedRegistry.Answer bearer() {
        return challenge("Bearer realm=\"http://" + registry.host() + "/token\",service=\"s\"");
    }

    private static ScriptedRegistry.Answer challenge(String header) {
        return (exchange, _) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", header);
            exchange.sendResponseHeaders(401, -1);
        };
    }
}
