package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// Bad input gets Docker's status and message, and changes nothing; the daemon never dies of a request.
@ExtendWith(SharedEngine.class)
class BadInputIT {
    private Engine engine;
    private String before;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        before = everything();
    }

    @AfterEach void nothingChanged() {
        if (engine == null) return;
        assertTrue(engine.daemon().isAlive(), () -> "the daemon died:\n" + engine.logTail());
        assertEquals(before, everything());
    }

    private String everything() {
        return engine.docker().run("ps", "-aq", "--no-trunc").succeeded() + "\n" + engine.docker().run("images", "-aq", "--no-trunc").succeeded();
    }

    record Answer(int status, String body) {}

    private Answer request(String method, String target, String contentType, String body) {
        var command = Command.of("curl", "-s", "--max-time", "30", "-X", method, "--unix-socket", engine.socket().toString(), "-w", "\n%{http_code}",
                "http://docker" + target);
        if (contentType != null) command = command.and("-H", "Content-Type: " + contentType);
        if (body != null) command = command.and("--data-binary", "@-");
        var lines = command.run(body == null ? "" : body).out();
        int last = lines.lastIndexOf('\n');
        return new Answer(Integer.parseInt(lines.substring(last + 1)), lines.substring(0, last).strip());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            GET    | /v1.41/containers/nothing/json          | 404 | No such container: nothing
            POST   | /v1.41/containers/nothing/start         | 404 | No such container: nothing
            POST   | /v1.41/containers/nothing/kill          | 404 | No such container: nothing
            DELETE | /v1.41/containers/nothing               | 404 | No such container: nothing
            GET    | /v1.41/images/nothing/json              | 404 | No such image: nothing
            POST   | /v1.41/commit?container=nothing         | 404 | No such container: nothing
            POST   | /v1.41/images/nothing/push              | 400 | Bad parameters and missing X-Registry-Auth
            DELETE | /v1.41/images/nothing                   | 404 | No such image: nothing:latest
            POST   | /v1.41/images/nothing/tag?repo=x        | 404 | No such image: nothing:latest
            GET    | /v1.41/exec/nothing/json                | 404 | No such exec instance: nothing
            GET    | /v1.41/no/such/page                     | 404 | page not found
            GET    | /v9.99/containers/json                  | 400 | client version 9.99 is too new
            GET    | /v1.41/containers/json?limit=abc        | 400 | strconv.Atoi: parsing "abc": invalid syntax
            GET    | /v1.41/containers/json?filters=nonsense | 400 | invalid
            GET    | /v1.41/containers/json?filters={"nosuch":["x"]} | 400 | nosuch
            """)
    void requestsForWhatDoesNotExist(String method, String target, int status, String message) {
        var answer = request(method, target.replace("{", "%7B").replace("}", "%7D").replace("\"", "%22").replace("[", "%5B").replace("]", "%5D"), null, null);
        assertEquals(status, answer.status(), answer::toString);
        assertTrue(answer.body().contains("\"message\":"), answer::toString);
        assertTrue(answer.body().replace("\\\"", "\"").contains(message), answer::toString);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {                                      | 400
            nonsense                               | 400
            []                                     | 400
            {"Image":5}                            | 400
            {"Image":"busybox:it","Cmd":{"a":1}}   | 400
            {"Image":"busybox:it","Tty":"maybe"}   | 400
            {"Image":"busybox:it","HostConfig":{"Memory":"much"}} | 400
            {"Image":"busybox:it","HostConfig":{"Memory":1000}}   | 400
            {"Image":"busybox:it","HostConfig":{"NanoCpus":-1}}   | 400
            {"Image":"busybox:it","HostConfig":{"Binds":["relative/:/x"]}} | 400
            {"Image":"busybox:it","HostConfig":{"Binds":["a:b:c:d:e"]}}    | 400
            {"Image":"busybox:it","HostConfig":{"RestartPolicy":{"Name":"sometimes"}}} | 400
            {"Image":"no-such-image:1"}            | 404
            {"Image":""}                           | 400
            {"Image":"UPPER case"}                 | 400
            """)
    void containersThatCannotBeCreated(String body, int status) {
        var answer = request("POST", "/v1.41/containers/create", "application/json", body);
        assertEquals(status, answer.status(), () -> body + " gave " + answer);
        assertTrue(answer.body().contains("\"message\":"), answer::toString);
    }

    @Test void aNameWithForbiddenCharactersIsRefused() {
        var answer = request("POST", "/v1.41/containers/create?name=a/b", "application/json", "{\"Image\":\"busybox:it\"}");
        assertEquals(400, answer.status(), answer::toString);
        assertTrue(answer.body().contains("Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"), answer::toString);
    }

    @Test void aBodyThatIsNotJsonByItsTypeIsRefused() {
        assertEquals(400, request("POST", "/v1.41/containers/create", "text/plain", "{\"Image\":\"busybox:it\"}").status());
    }

    @Test void whatIsNotHttpDoesNotHarm() throws IOException {
        var garbage = engine.scratch().resolve("garbage");
        Files.write(garbage, new java.util.Random(1).ints(10_000, 0, 256).collect(java.io.ByteArrayOutputStream::new,
                java.io.ByteArrayOutputStream::write, (_, _) -> {}).toByteArray());
        for (var text : new String[] {"", "GET", "GET / HTTP/9.9\r\n\r\n", "POST /v1.41/containers/create HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                "POST /v1.41/containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{",
                "GET /" + "a".repeat(100_000) + " HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX: " + "b".repeat(1_000_000) + "\r\n\r\n"}) {
            Command.of("socat", "-t2", "-", "UNIX-CONNECT:" + engine.socket()).run(text);
        }
        Command.of("socat", "-t2", "-", "UNIX-CONNECT:" + engine.socket()).run(Files.newInputStream(garbage));
        assertEquals(200, request("GET", "/_ping", null, null).status());
    }

    @Test void aBodyOfHugeNestingDoesNotHarm() {
        var answer = request("POST", "/v1.41/containers/create", "application/json", "{\"Image\":".repeat(20_000));
        assertEquals(400, answer.status(), answer::toString);
    }

    @Test void garbageIsNotImported() {
        for (var body : new String[] {"this is not a tar", "\u001f\u008bgarbage"}) {
            var answer = request("POST", "/v1.41/images/create?fromSrc=-&repo=garbage", "application/x-tar", body);
            assertTrue(answer.status() >= 400 || answer.body().contains("\"error\""), answer::toString);
        }
    }

    /// A tar written by hand: `tar` itself would not make such names.
    private Outcome importHostile(String python) {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")) || Command.of("sh", "-c", "command -v python3").run().status() == 0, "needs python3");
        var tar = engine.scratch().resolve("hostile.tar");
        Command.of("python3", "-c", """
                import io, sys, tarfile
                t = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT)
                def add(name, type=tarfile.REGTYPE, link='', data=b'owned', **more):
                    e = tarfile.TarInfo(name); e.type = type; e.linkname = link; e.mode = 0o755
                    for k, v in more.items(): setattr(e, k, v)
                    if type == tarfile.REGTYPE: e.size = len(data)
                    t.addfile(e, io.BytesIO(data) if type == tarfile.REGTYPE else None)
                """ + python + "\nt.close()\n", tar.toString()).run().succeeded();
        return engine.docker().run("import", tar.toString(), "hostile:1");
    }

    private void neverOutside(String python) throws IOException {
        var target = Path.of("/tmp/balena-it-outside-" + ProcessHandle.current().pid());
        Files.deleteIfExists(target);
        var outcome = importHostile(python.replace("OUTSIDE", target.toString()));
        assertFalse(Files.exists(target), () -> "written outside the layer: " + outcome);
        engine.docker().run("rmi", "-f", "hostile:1");
    }

    @Test void aNameWithDotsDoesNotLeaveTheLayer() throws IOException {
        neverOutside("add('../../../../../../../../../..OUTSIDE')");
    }

    @Test void anAbsoluteNameDoesNotLeaveTheLayer() throws IOException {
        neverOutside("add('OUTSIDE')");
    }

    @Test void aSymbolicLinkIsNotFollowedOutOfTheLayer() throws IOException {
        neverOutside("add('link', tarfile.SYMTYPE, '/tmp')\nadd('link/' + 'OUTSIDE'.split('/')[-1])");
        neverOutside("add('link', tarfile.SYMTYPE, 'OUTSIDE')\nadd('link')");
    }

    @Test void aHardLinkDoesNotReachOutOfTheLayer() throws IOException {
        var secret = Files.writeString(Files.createTempFile("balena-it", "secret"), "secret");
        try {
            importHostile("add('stolen', tarfile.LNKTYPE, '../../../../../../../../../..%s')\n".formatted(secret));
            importHostile("add('stolen', tarfile.LNKTYPE, '%s')\n".formatted(secret));
            assertEquals(1, Files.getAttribute(secret, "unix:nlink"));
            assertEquals("secret", Files.readString(secret));
        } finally {
            Files.delete(secret);
            engine.docker().run("rmi", "-f", "hostile:1");
        }
    }

    @Test void devicesInALayerAreMadeButCannotBeOpenedByAContainer() {
        importHostile("""
                add('disk', tarfile.BLKTYPE, devmajor=7, devminor=0)
                add('bin', tarfile.DIRTYPE)
                """);
        assertFalse(Files.exists(Path.of("/disk")));
        engine.docker().run("rmi", "-f", "hostile:1");
    }

    @Test void negativeSizesAndEndlessNamesDoNotHarm() {
        importHostile("t.fileobj.write(b'\\x00' * 100 + b'\\xff' * 412)");
        importHostile("add('n' * 5000)");
        importHostile("add('/'.join(['d'] * 3000))");
        engine.docker().run("rmi", "-f", "hostile:1");
    }
}
