package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A registry that answers 404, 401, a wrong digest, a truncated blob, garbage instead of gzip: the pull fails with a
/// message, and nothing half done remains visible. The registry is a few lines of Python in front of nothing.
@ExtendWith(SharedEngine.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RegistryFaultsIT {
    private static final String HOST = "127.0.0.1:5077";
    private Engine engine;
    private Process registry;
    private String before;

    @BeforeAll void start(Engine shared) throws IOException {
        engine = shared;
        assumeTrue(Command.of("sh", "-c", "command -v python3").run().status() == 0, "needs python3");
        var script = Files.writeString(engine.scratch().resolve("registry.py"), """
                import gzip, hashlib, http.server, io, json, tarfile, threading

                def digest(data): return 'sha256:' + hashlib.sha256(data).hexdigest()
                def layer(name, data):
                    out = io.BytesIO(); t = tarfile.open(fileobj=out, mode='w')
                    e = tarfile.TarInfo(name); e.size = len(data); t.addfile(e, io.BytesIO(data)); t.close()
                    return out.getvalue()

                plain = layer('file', b'x' * 3_000_000); good = gzip.compress(plain, 1, mtime=0)
                config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': [digest(plain)]}}).encode()
                other = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': [digest(b'other')]}}).encode()
                garbage = b'this is no gzip' * 1000
                def manifest(config, layer, digest_of_layer=None):
                    return json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.docker.distribution.manifest.v2+json',
                        'config': {'mediaType': 'application/vnd.docker.container.image.v1+json', 'size': len(config), 'digest': digest(config)},
                        'layers': [{'mediaType': 'application/vnd.docker.image.rootfs.diff.tar.gzip', 'size': len(layer), 'digest': digest_of_layer or digest(layer)}]}).encode()
                lie = 'sha256:' + '11' * 32
                cut = 'sha256:' + '22' * 32
                manifests = {'good': manifest(config, good), 'also-good': manifest(config, good), 'chart': manifest(config, good).replace(b'application/vnd.docker.container.image', b'application/vnd.cncf.helm'), 'wrong-diff-id': manifest(other, good), 'garbage': manifest(config, garbage),
                    'wrong-digest': manifest(config, good, lie), 'not-json': b'{{{', 'missing-blob': manifest(config, good, 'sha256:' + '33' * 32),
                    'missing-config': manifest(b'{}', good), 'empty': b'', 'huge-size': manifest(config, good).replace(b'"size": %d' % len(good), b'"size": 9223372036854775807'),
                    'traversal': manifest(config, good).replace(digest(good).encode(), b'sha256:../../../../etc/passwd')}
                blobs = {digest(config): config, digest(other): other, digest(good): good, digest(garbage): garbage, lie: good}

                class Handler(http.server.BaseHTTPRequestHandler):
                    protocol_version = 'HTTP/1.1'
                    def log_message(self, *a): pass
                    def answer(self, status, body, type='application/json', **headers):
                        self.send_response(status)
                        for k, v in headers.items(): self.send_header(k.replace('_', '-'), v)
                        self.send_header('Content-Type', type); self.send_header('Content-Length', str(len(body))); self.end_headers()
                        if self.command != 'HEAD': self.wfile.write(body)
                    def do_GET(self):
                        parts = self.path.split('/')
                        if self.path in ('/v2/', '/v2'): return self.answer(200, b'{}')
                        if parts[2] == 'private':
                            return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', WWW_Authenticate='Basic realm="it"')
                        if parts[2].startswith('_catalog'): return self.answer(200, b'{"repositories":["it","broken/it","other"]}')
                        if parts[-2:] == ['tags', 'list']: return self.answer(200, b'{"name":"it","tags":["good","also-good"]}')
                        if parts[2] == 'circle' and parts[-2] == 'blobs': return self.answer(307, b'', Location=self.path)
                        if parts[2] == 'broken': return self.answer(500, b'oops', 'text/plain')
                        if parts[-2] == 'manifests':
                            body = manifests.get(parts[-1]) if not parts[-1].startswith('sha256:') else next((m for m in manifests.values() if digest(m) == parts[-1]), None)
                            if body is None: return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
                            return self.answer(200, body, 'application/vnd.docker.distribution.manifest.v2+json', Docker_Content_Digest=digest(body))
                        if parts[-1] in blobs: return self.answer(200, blobs[parts[-1]], 'application/octet-stream')
                        self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}')
                    do_HEAD = do_GET

                class Closed(Handler):
                    def do_GET(self):
                        if self.headers.get('Authorization') == 'Basic dTpw': return Handler.do_GET(self)
                        self.answer(401, b'{}', WWW_Authenticate='Basic realm="it"')
                    do_HEAD = do_GET

                threading.Thread(target=http.server.ThreadingHTTPServer(('127.0.0.1', 5078), Closed).serve_forever).start()
                http.server.ThreadingHTTPServer(('127.0.0.1', 5077), Handler).serve_forever()
                """);
        registry = engine.inside("python3", script.toString()).start();
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> engine.inside("curl", "-fs", "http://" + HOST + "/v2/").run().status() == 0));
        before = everything();
    }

    @AfterAll void stop() {
        if (registry != null) registry.destroyForcibly();
    }

    @AfterEach void nothingHalfDoneRemains() {
        if (before == null) return;
        assertTrue(engine.daemon().isAlive(), () -> "the daemon died:\n" + engine.logTail());
        assertEquals(before, everything());
    }

    private String everything() {
        var layers = engine.data().resolve("overlay2").toFile().list();
        java.util.Arrays.sort(layers);
        return engine.docker().run("images", "-aq", "--no-trunc").succeeded() + java.util.Arrays.toString(layers);
    }

    private String pullFails(String name) {
        var command = engine.docker().command("pull", HOST + "/" + name);
        var outcome = new Command(command.words(), command.environment(), Duration.ofSeconds(60)).run();
        assertEquals(1, outcome.status(), outcome::toString);
        return outcome.err();
    }

    @Test void aGoodImageIsPulledFromThisRegistry() {
        engine.docker().run("pull", HOST + "/it:good").succeeded();
        engine.docker().run("rmi", HOST + "/it:good").succeeded();
    }

    @Test void anUnknownTagIsToldAsSuch() {
        var message = pullFails("it:unknown");
        assertTrue(message.contains("manifest unknown"), message);
    }

    @Test void aRegistryThatWantsCredentialsIsToldAsSuch() {
        var message = pullFails("private/it:good");
        assertTrue(message.contains("authentication required") || message.contains("no basic auth credentials")
                || message.contains("pull access denied") || message.contains("unauthorized"), message);
    }

    @Test void aRegistryThatFailsIsToldAsSuch() {
        assertTrue(pullFails("broken/it:good").contains("500"));
    }

    @Test void noRegistryAtAllIsToldAsSuch() {
        var outcome = engine.docker().run("pull", "127.0.0.1:1/it:good").endedWith(1);
        assertTrue(outcome.err().contains("connection refused"), outcome.err());
    }

    @Test void aBlobWithAnotherDigestIsRefused() {
        var message = pullFails("it:wrong-digest");
        assertTrue(message.contains("filesystem layer verification failed for digest sha256:" + "11".repeat(32)), message);
    }

    @Test void aLayerWithAnotherContentThanTheConfigurationSaysIsRefused() {
        var message = pullFails("it:wrong-diff-id");
        assertTrue(message.contains("layers from manifest don't match image configuration") || message.contains("digest"), message);
    }

    @Test void garbageInsteadOfALayerIsRefused() {
        pullFails("it:garbage");
    }

    @Test void garbageInsteadOfAManifestIsRefused() {
        pullFails("it:not-json");
        pullFails("it:empty");
    }

    @Test void aDigestThatIsAPathIsRefused() {
        pullFails("it:traversal");
    }

    @Test void aManifestThatNamesAMissingConfigurationIsRefused() {
        pullFails("it:missing-config");
    }

    @Test void whatIsNoImageIsRefused() {
        var message = pullFails("it:chart");
        assertTrue(message.contains("unsupported media type application/vnd.cncf.helm.v1+json"), message);
    }

    @Test void aRegistryThatSendsUsInCirclesIsToldAsSuch() {
        var message = pullFails("circle/it:good");
        assertTrue(message.contains("stopped after 5 redirects"), message);
    }

    @Test void allTagsArePulledWhenNoneIsNamed() {
        var told = engine.docker().run("pull", "-a", HOST + "/it").succeeded();
        assertTrue(told.contains("Status: Downloaded newer image for " + HOST + "/it"), told);
        engine.docker().run("rmi", HOST + "/it:good", HOST + "/it:also-good").succeeded();
    }

    @Test void aRegistryIsSearchedByItsCatalogue() {
        var found = engine.docker().run("search", "--format", "{{.Name}}", HOST + "/it").succeeded();
        assertEquals(HOST + "/it\n" + HOST + "/broken/it", found.strip());
    }

    @Test void credentialsAreCheckedAndThenUsed() {
        var closed = "127.0.0.1:5078";
        var home = engine.scratch().toString();
        var wrong = engine.docker().command("login", "-u", "u", "-p", "wrong", closed).with("DOCKER_CONFIG", home).run().endedWith(1);
        assertTrue(wrong.err().contains("login attempt to http://" + closed + "/v2/ failed with status: 401 Unauthorized"), wrong::toString);
        var without = engine.docker().run("pull", closed + "/it:good").endedWith(1);
        assertTrue(without.err().contains("no basic auth credentials"), without::toString);
        var login = engine.docker().command("login", "-u", "u", "-p", "p", closed).with("DOCKER_CONFIG", home).run().succeeded();
        assertTrue(login.contains("Login Succeeded"), login);
        engine.docker().command("pull", closed + "/it:good").with("DOCKER_CONFIG", home).run().succeeded();
        engine.docker().run("rmi", closed + "/it:good").succeeded();
    }

    @Test void anImageIsDescribedWithoutBeingPulled() {
        var told = engine.inside("curl", "-s", "--unix-socket", engine.socket().toString(), "http://docker/v1.41/distribution/" + HOST + "/it:good/json")
                .run().succeeded();
        assertTrue(told.contains("\"Platforms\":[{\"architecture\":\"amd64\",\"os\":\"linux\"}]"), told);
    }
}
