package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class RepositoryTest {
    private static final byte[] MANIFEST = "{\"schemaVersion\":2}".getBytes(UTF_8);
    private static final String BASIC = "Basic " + Base64.getEncoder().encodeToString("user:secret".getBytes(UTF_8));
    private static final Credentials PASSWORD = new Credentials.Password("user", "secret");
    private static final Credentials NOBODY = new Credentials.Anonymous();

    private ScriptedRegistry registry;
    private final List<Repository> opened = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        registry.putManifest("app", "1", MANIFEST, Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void stop() {
        opened.forEach(Repository::close);
        registry.close();
    }

    @Test
    void aManifestComesWithItsDigestAndType() throws IOException {
        Repository.Fetched fetched = manifest(repository(NOBODY), "1");
        assertArrayEquals(MANIFEST, fetched.content());
        assertEquals(Digest.of(MANIFEST), fetched.digest());
        assertEquals(Manifest.OCI_MANIFEST, fetched.mediaType());
    }

    @Test
    void aManifestOfAnotherDigestIsRefused() {
        Digest digest = Digest.of(MANIFEST);
        registry.next("" + digest, ScriptedRegistry.bytes("{}".getBytes(UTF_8)));
        assertEquals(
                "manifest verification failed for digest " + digest,
                assertThrows(DistributionException.InvalidContent.class, () -> manifest(repository(NOBODY), "" + digest)).getMessage());
        registry.next("/1", (exchange, content) -> {
            exchange.getResponseHeaders().set("Docker-Content-Digest", "" + Digest.of(new byte[0]));
            registry.send(exchange, content, Integer.MAX_VALUE);
        });
        assertThrows(DistributionException.InvalidContent.class, () -> manifest(repository(NOBODY), "1"));
    }

    @Test
    void anEndlessManifestIsRefusedWithoutReadingItAll() {
        registry.next("/1", (exchange, _) -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] block = new byte[1 << 20];
            for (int i = 0; i < 10_000; i++) exchange.getResponseBody().write(block);
        });
        assertTrue(assertThrows(DistributionException.InvalidContent.class, () -> manifest(repository(NOBODY), "1"))
                .getMessage().contains("larger than"));
    }

    @Test
    void aPasswordIsShownOnlyWhenAskedFor() throws IOException {
        registry.next("/1", challenge("Basic realm=\"r\""));
        manifest(repository(PASSWORD), "1");
        assertEquals(List.of(Optional.empty(), Optional.of(BASIC)), authorizations("/1"));
    }

    @Test
    void withoutAPasswordTheRefusalSaysSo() {
        registry.always("/1", challenge("Basic realm=\"r\""));
        RegistryFailure failure = assertThrows(RegistryFailure.class, () -> manifest(repository(NOBODY), "1"));
        assertEquals("Get \"http://" + registry.host() + "/v2/app/manifests/1\": no basic auth credentials", failure.getMessage());
    }

    @Test
    void aRefusedPasswordIsNotShownTwice() {
        registry.always("/1", challenge("Basic realm=\"r\""));
        RegistryFailure failure = assertThrows(RegistryFailure.class, () -> manifest(repository(PASSWORD), "1"));
        assertEquals("unauthorized: authentication required", failure.getMessage());
        assertEquals(2, registry.requests("/1").size());
    }

    @Test
    void aTokenIsFetchedForThisRepositoryAndKept() throws IOException {
        registry.next("/1", bearer());
        registry.always("/token?account=user&scope=repository%3Aapp%3Apull&service=s", token("abc"));
        Repository repository = repository(PASSWORD);
        manifest(repository, "1");
        manifest(repository, "1");
        assertEquals(List.of(Optional.empty(), Optional.of("Bearer abc"), Optional.of("Bearer abc")), authorizations("/1"));
        assertEquals(List.of(Optional.of(BASIC)), authorizations("service=s"));
    }

    @Test
    void anExpiredTokenIsFetchedAnew() throws IOException {
        registry.next("/1", bearer());
        registry.next("service=s", token("old"), token("new"));
        Repository repository = repository(NOBODY);
        manifest(repository, "1");
        registry.next("/1", bearer());
        manifest(repository, "1");
        assertEquals(
                List.of(Optional.empty(), Optional.of("Bearer old"), Optional.of("Bearer old"), Optional.of("Bearer new")), authorizations("/1"));
    }

    @Test
    void anIdentityTokenIsTradedByPost() throws IOException {
        registry.next("/1", bearer());
        List<String> methods = new ArrayList<>();
        registry.next("/token", (exchange, content) -> {
            methods.add(exchange.getRequestMethod());
            token("xyz").give(exchange, content);
        });
        manifest(repository(new Credentials.IdentityToken("refresh")), "1");
        assertEquals(List.of("POST"), methods);
        assertEquals(Optional.of("Bearer xyz"), authorizations("/1").getLast());
    }

    @Test
    void aRegistryTokenIsSentFromTheStart() throws IOException {
        manifest(repository(new Credentials.RegistryToken("given")), "1");
        assertEquals(List.of(Optional.of("Bearer given")), authorizations("/1"));
    }

    @Test
    void aRefusalOfTheTokenServiceIsTheAnswer() {
        registry.next("/1", bearer());
        registry.always("service=s", ScriptedRegistry.error(401, "UNAUTHORIZED", "incorrect username or password"));
        RegistryFailure failure = assertThrows(RegistryFailure.class, () -> manifest(repository(PASSWORD), "1"));
        assertEquals("unauthorized: incorrect username or password", failure.getMessage());
    }

    @Test
    void aTokenThatWouldBreakTheHeaderIsRefused() {
        registry.next("/1", bearer());
        registry.always("service=s", token("a\\r\\nX-Evil: 1"));
        assertThrows(RegistryFailure.class, () -> manifest(repository(NOBODY), "1"));
    }

    @Test
    void ofTwoWaysInTheOtherIsTakenWhenTheTokenServiceFails() throws IOException {
        String both = "Bearer realm=\"http://" + registry.host() + "/token\",service=\"s\", Basic realm=\"r\"";
        registry.always("service=s", ScriptedRegistry.status(404, ""));
        registry.next("/1", challenge(both));
        manifest(repository(PASSWORD), "1");
        assertEquals(Optional.of(BASIC), authorizations("/1").getLast());
        registry.next("/1", challenge(both));
        assertThrows(RegistryFailure.class, () -> manifest(repository(NOBODY), "1"));
    }

    @Test
    void tokenServicesRefuseInSeveralForms() {
        for (String form : List.of(
                "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"bad password\"}]}",
                "{\"details\":\"bad password\"}",
                "{\"error\":\"invalid_grant\",\"error_description\":\"bad password\"}",
                "{\"error\":\"bad password\"}")) {
            registry.next("/1", bearer());
            registry.next("service=s", ScriptedRegistry.status(401, form));
            RegistryFailure failure = assertThrows(RegistryFailure.class, () -> manifest(repository(PASSWORD), "1"), form);
            assertEquals("unauthorized: bad password", failure.getMessage());
        }
    }

    @Test
    void aTokenThatIsNotEnoughReadsAsDenied() {
        registry.always("service=s", token("abc"));
        registry.always("/1", (exchange, content) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate",
                    "Bearer realm=\"http://" + registry.host() + "/token\",service=\"s\",error=\"insufficient_scope\"");
            ScriptedRegistry.error(401, "UNAUTHORIZED", "authentication required").give(exchange, content);
        });
        ImageReference reference = ImageReference.parse(registry.host() + "/app:1");
        DistributionException meaning = assertThrows(RegistryFailure.class, () -> manifest(repository(NOBODY), "1")).forPullOf(reference);
        assertEquals("pull access denied for " + registry.host() + "/app, repository does not exist or may require 'docker login': "
                + "denied: requested access to the resource is denied", meaning.getMessage());
    }

    @Test
    void tagsComeInPages() throws IOException {
        registry.next("/tags/list", linked("?last=b", "{\"tags\":[\"a\",\"b\"]}"));
        registry.next("?last=b", linked("http://elsewhere.invalid/v2/app/tags/list?last=c", "{\"tags\":[\"c\"]}"));
        registry.next("?last=c", ScriptedRegistry.status(200, "{\"tags\":[\"d\",7,null]}"));
        assertEquals(List.of("a", "b", "c", "d"), repository(NOBODY).tags(new Cancellation()));
    }

    @Test
    void pagesThatLeadInCirclesEnd() throws IOException {
        registry.always("/tags/list", linked("/v2/app/tags/list", "{\"tags\":[\"a\"]}"));
        assertEquals(List.of("a"), repository(NOBODY).tags(new Cancellation()));
        assertEquals(2, registry.requests("/tags/list").size());
    }

    @Test
    void anEndlessListEnds() throws IOException {
        for (int page = 0; page < 12; page++) {
            StringBuilder tags = new StringBuilder();
            for (int i = 0; i < 1000; i++) tags.append(i == 0 ? "" : ",").append("\"t").append(1000 * page + i).append('"');
            registry.always(page == 0 ? "/tags/list" : "page=" + page, linked("?page=" + (page + 1), "{\"tags\":[" + tags + "]}"));
        }
        assertEquals(10_000, repository(NOBODY).tags(new Cancellation()).size());
    }

    @Test
    void anotherHostDoesNotLearnTheAuthorization() throws IOException {
        try (ScriptedRegistry other = new ScriptedRegistry()) {
            other.putManifest("app", "elsewhere", MANIFEST, Manifest.OCI_MANIFEST);
            registry.next("/1", ScriptedRegistry.redirect("/v2/app/manifests/2"));
            registry.next("/2", ScriptedRegistry.redirect("http://" + other.host() + "/v2/app/manifests/elsewhere"));
            manifest(repository(new Credentials.RegistryToken("given")), "1");
            assertEquals(List.of(Optional.of("Bearer given")), authorizations("/2"));
            assertEquals(Optional.empty(), other.requests().getLast().authorization());
        }
    }

    @Test
    void redirectsInCirclesEnd() {
        registry.always("/1", ScriptedRegistry.redirect("/v2/app/manifests/1"));
        assertTrue(assertThrows(DistributionException.Unavailable.class, () -> manifest(repository(NOBODY), "1"))
                .getMessage().contains("stopped after 5 redirects"));
    }

    @Test
    void aRedirectOutOfHttpIsRefused() {
        registry.next("/1", ScriptedRegistry.redirect("file:///etc/passwd"));
        assertThrows(IOException.class, () -> manifest(repository(NOBODY), "1"));
    }

    @Test
    void refusalsReadAsDockersDo() {
        ImageReference reference = ImageReference.parse(registry.host() + "/app:1");
        assertRefusal(DistributionException.NotInRegistry.class,
                "manifest for " + reference.familiar() + " not found: manifest unknown: manifest unknown",
                ScriptedRegistry.error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
        assertRefusal(DistributionException.NotInRegistry.class,
                "repository " + reference.familiarName() + " not found: name unknown: repository name not known to registry",
                ScriptedRegistry.error(404, "NAME_UNKNOWN", "repository name not known to registry"));
        assertRefusal(DistributionException.NotInRegistry.class,
                "pull access denied for " + reference.familiarName()
                        + ", repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                ScriptedRegistry.error(403, "DENIED", "requested access to the resource is denied"));
        assertRefusal(DistributionException.Unauthorized.class, "unauthorized: authentication required", ScriptedRegistry.status(401, ""));
    }

    @Test
    void nobodyListeningReadsAsInDocker() {
        String host = registry.host();
        registry.close();
        Repository repository = repository(NOBODY);
        assertEquals(
                "Get \"http://" + host + "/v2/\": dial tcp " + host + ": connect: connection refused",
                assertThrows(IOException.class, () -> manifest(repository, "1")).getMessage());
    }

    @Test
    void challengesAreTakenApart() {
        List<Challenge> challenges = Challenge.parse(List.of(
                "Bearer realm=\"https://auth.example/token?x=1,2\",service=\"a \\\"b\\\"\", scope=\"repository:app:pull\", Basic realm=r"));
        assertEquals(List.of("bearer", "basic"), challenges.stream().map(Challenge::scheme).toList());
        assertEquals("https://auth.example/token?x=1,2", challenges.getFirst().parameter("realm"));
        assertEquals("a \"b\"", challenges.getFirst().parameter("service"));
        assertEquals("r", challenges.getLast().parameter("realm"));
    }

    private void assertRefusal(Class<? extends DistributionException> kind, String message, ScriptedRegistry.Answer answer) {
        registry.next("/1", answer);
        ImageReference reference = ImageReference.parse(registry.host() + "/app:1");
        DistributionException meaning = assertThrows(RegistryFailure.class, () -> manifest(repository(NOBODY), "1")).forPullOf(reference);
        assertEquals(message, meaning.getMessage());
        assertEquals(kind, meaning.getClass());
    }

    private ScriptedRegistry.Answer bearer() {
        return challenge("Bearer realm=\"http://" + registry.host() + "/token\",service=\"s\",scope=\"repository:other:push\"");
    }

    private static ScriptedRegistry.Answer challenge(String header) {
        return (exchange, _) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", header);
            exchange.sendResponseHeaders(401, -1);
        };
    }

    private static ScriptedRegistry.Answer linked(String next, String body) {
        return (exchange, content) -> {
            exchange.getResponseHeaders().set("Link", "<" + next + ">; rel=\"next\"");
            ScriptedRegistry.status(200, body).give(exchange, content);
        };
    }

    private static ScriptedRegistry.Answer token(String token) {
        return ScriptedRegistry.status(200, "{\"token\":\"" + token + "\",\"expires_in\":300}");
    }

    private List<Optional<String>> authorizations(String pathEnd) {
        return registry.requests(pathEnd).stream().map(ScriptedRegistry.Request::authorization).toList();
    }

    private Repository repository(Credentials credentials) {
        RegistryConfig config = new RegistryConfig(
                "balenaEngine/test", Set.of(), new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), Duration.ofSeconds(5));
        Repository repository = Repository.open(ImageReference.parse(registry.host() + "/app"), Access.PULL, credentials, config, new HttpConnections());
        opened.add(repository);
        return repository;
    }

    private static Repository.Fetched manifest(Repository repository, String tagOrDigest) throws IOException {
        return repository.manifest(tagOrDigest, new Cancellation());
    }
}
