package io.balena.engine.daemon.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.EngineException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HttpConnectionTest {
    record Sized(int size, String name) {}

    private final List<Route> routes = List.of(
            Route.get("/_ping", _ -> new Response.Text(200, "text/plain; charset=utf-8", "OK")),
            Route.head("/_ping", _ -> new Response.Text(200, "text/plain; charset=utf-8", "OK")),
            Route.get("/images/{name...}/json", request -> new Response.Text(200, "text/plain", request.path("name"))),
            Route.get("/echo", request -> new Response.Text(200, "text/plain", request.version() + " " + request.queries("q"))),
            Route.post("/sized", request -> Response.json(request.json(Sized.class))),
            Route.post("/deaf", _ -> Response.noContent()),
            Route.post("/body", request -> new Response.Text(200, "text/plain", new String(request.body().readAllBytes(), UTF_8))),
            Route.get("/stream", _ -> new Response.Stream(200, "text/plain", out -> {
                out.write("one".getBytes(UTF_8));
                out.flush();
                out.write("two".getBytes(UTF_8));
            })),
            Route.get("/early", _ -> new Response.Stream(200, "text/plain", _ -> {
                throw new EngineException.Conflict("not now");
            })),
            Route.get("/late", _ -> new Response.Stream(200, "text/plain", out -> {
                out.write(1);
                out.flush();
                throw new IllegalStateException("half way");
            })),
            Route.get("/broken", _ -> {
                throw new IllegalStateException("oh no");
            }),
            Route.get("/count", request -> new Response.Text(200, "text/plain", "" + request.integer("n", 7) + request.flag("f"))));

    private final Queue<Runnable> threads = new ArrayDeque<>();
    private final EmbeddedChannel channel = new EmbeddedChannel();

    HttpConnectionTest() {
        var router = new Router(routes);
        HttpConnection.install(channel, Wire.PLAIN, (connection, head) -> {
            var exchange = new Exchange(connection, router, new ApiIdentity("0.1.0", false, ""), head);
            threads.add(exchange);
            return exchange;
        });
    }

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    private void send(String text) {
        channel.writeInbound(Unpooled.copiedBuffer(text, UTF_8));
    }

    /// Lets the exchanges that wait for a thread have one, and gathers what they answer.
    private String answers() {
        var text = new StringBuilder();
        do {
            channel.runPendingTasks();
            for (ByteBuf bytes; (bytes = channel.readOutbound()) != null; bytes.release()) text.append(bytes.toString(UTF_8));
            Runnable exchange = threads.poll();
            if (exchange != null) exchange.run();
            channel.runPendingTasks();
        } while (!threads.isEmpty() || !channel.outboundMessages().isEmpty());
        return text.toString();
    }

    private String ask(String request) {
        send(request);
        return answers();
    }

    private String get(String target) {
        return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    }

    private static int count(String text, String part) {
        return text.split(java.util.regex.Pattern.quote(part), -1).length - 1;
    }

    @Test
    void everyAnswerNamesTheEngineAndItsApi() {
        String answer = get("/_ping");
        assertTrue(answer.startsWith("HTTP/1.1 200 OK\r\n"), answer);
        assertTrue(answer.contains("Api-Version: 1.51\r\n"), answer);
        assertTrue(answer.contains("server: Docker/0.1.0 (linux)\r\n"), answer);
        assertTrue(answer.contains("Ostype: linux\r\n"), answer);
        assertTrue(answer.endsWith("\r\n\r\nOK"), answer);
    }

    @Test
    void headTellsTheLengthAndSendsNothing() {
        String answer = ask("HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
        assertTrue(answer.contains("content-length: 2\r\n"), answer);
        assertTrue(answer.endsWith("\r\n\r\n"), answer);
    }

    @Test
    void pipelinedRequestsAreAnsweredOneByOneInTheirOrder() {
        send("GET /echo?q=1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /echo?q=2 HTTP/1.1\r\nHost: x\r\n\r\n");
        assertEquals(1, threads.size(), "the second request begins when the first was answered");
        String answer = answers();
        assertEquals(3, count(answer, "HTTP/1.1 200"));
        assertTrue(answer.indexOf("[1]") < answer.indexOf("abc") && answer.indexOf("abc") < answer.indexOf("[2]"), answer);
    }

    @Test
    void aRequestMayArriveByteByByte() {
        for (char c : "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".toCharArray()) send("" + c);
        assertTrue(answers().endsWith("\r\n\r\nabcde"));
    }

    @Test
    void theVersionInThePathIsOptional() {
        assertTrue(get("/echo").contains("1.51 []"));
        assertTrue(get("/v1.24/echo").contains("1.24 []"));
    }

    @Test
    void versionsBeyondOursAreRefusedInDockersWords() {
        assertTrue(get("/v1.99/_ping").contains("{\"message\":\"client version 1.99 is too new. Maximum supported API version is 1.51\"}"));
        assertTrue(get("/v1.12/_ping").contains("{\"message\":\"client version 1.12 is too old. Minimum supported API version is 1.24, "
                + "please upgrade your client to a newer version\"}"));
        assertTrue(get("/v1.99/_ping").contains(" 400 Bad Request\r\n"));
    }

    @Test
    void anUnknownPathOrMethodIsNotFound() {
        assertTrue(get("/nope").contains("404 Not Found"));
        assertTrue(get("/nope").endsWith("{\"message\":\"page not found\"}\n"));
        assertTrue(ask("DELETE /_ping HTTP/1.1\r\nHost: x\r\n\r\n").contains("404 Not Found"));
        assertTrue(get("/_ping/").contains("404 Not Found"));
    }

    @Test
    void imageNamesHaveSlashesEncodedOrNot() {
        assertTrue(get("/images/127.0.0.1:5000/a/b:1/json").endsWith("127.0.0.1:5000/a/b:1"));
        assertTrue(get("/images/127.0.0.1:5000%2Fa%2Fb:1/json").endsWith("127.0.0.1:5000/a/b:1"));
        assertTrue(get("//images///b/json").endsWith("\r\n\r\nb"));
    }

    @Test
    void parametersAreDecodedAsFormsAre() {
        assertTrue(get("/echo?q=a+b&q=%C3%A4%26").endsWith("[a b, ä&]"));
        assertTrue(get("/echo?q=1;r=2").contains("{\"message\":\"invalid semicolon separator in query\"}"));
        assertTrue(get("/echo?q=%zz").contains("{\"message\":\"invalid URL escape \\\"%zz\\\"\"}"));
        assertTrue(get("/count?n=3&f=True").endsWith("3true"));
        assertTrue(get("/count?n=&f=No").endsWith("7false"));
        assertTrue(get("/count?n=x").contains("{\"message\":\"strconv.Atoi: parsing \\\"x\\\": invalid syntax\"}"));
    }

    @Test
    void whatIsNotHttpIsRefusedAndTheConnectionEnds() {
        assertEquals("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request",
                ask("garbage\r\n\r\n"));
        assertFalse(channel.isActive());
    }

    @Test
    void aRequestWithoutHostIsRefusedUnlessItIsAnOldOne() {
        assertTrue(ask("GET /_ping HTTP/1.1\r\n\r\n").startsWith("HTTP/1.1 400 Bad Request: missing required Host header"));
    }

    @Test
    void http10IsAnsweredAndTheConnectionEnds() {
        String answer = ask("GET /_ping HTTP/1.0\r\n\r\n");
        assertTrue(answer.endsWith("OK"), answer);
        assertTrue(answer.contains("connection: close"), answer);
        assertFalse(channel.isActive());
    }

    @Test
    void anOldClientIsAnsweredInItsVersionAndMayKeepTheConnection() {
        String answer = ask("GET /_ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.0 200 OK\r\n") && answer.contains("connection: keep-alive\r\n"), answer);
        assertTrue(channel.isActive());
        assertTrue(ask("POST /body HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc").endsWith("\r\n\r\nabc"), "it cannot expect");
    }

    @ParameterizedTest
    @CsvSource({
        "'GET /_ping HTTP/2.0\\r\\nHost: x\\r\\n\\r\\n', 505 HTTP Version Not Supported: unsupported protocol version",
        "'GET /_ping HTTP/1.1\\r\\nHost: x\\r\\nHost: y\\r\\n\\r\\n', 400 Bad Request",
        "'GET /_ping HTTP/1.1\\r\\nHost: a b/<>\\r\\n\\r\\n', 400 Bad Request: malformed Host header",
        "'POST /body HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: gzip, chunked\\r\\n\\r\\n0\\r\\n\\r\\n', Unsupported transfer encoding",
        "'GET /images/a\\001b/json HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n', 400 Bad Request",
        "'GET /images/%zz/json HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n', 400 Bad Request",
        "'POST /body HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nContent-Length: 3\\r\\n\\r\\nabc', 400 Bad Request"})
    void aHeadThatGoWouldRefuseIsRefusedInItsWordsAndTheConnectionEnds(String request, String words) {
        String answer = ask(request.translateEscapes());
        assertTrue(answer.endsWith("\r\n\r\n" + words), answer);
        assertFalse(channel.isActive());
    }

    @Test
    void linesMayEndWithoutCarriageReturnsAndLengthsMayBeSaidTwice() {
        assertTrue(ask("GET /_ping HTTP/1.1\nHost: x\n\n").endsWith("OK"));
        assertTrue(ask("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc").endsWith("\r\n\r\nabc"));
    }

    @Test
    void longQueriesAndHeadersAreRead() {
        assertTrue(get("/echo?q=" + "x".repeat(900_000)).endsWith("x]"));
        assertTrue(ask("GET /_ping HTTP/1.1\r\nHost: x\r\nA: " + "x".repeat(900_000) + "\r\n\r\n").endsWith("OK"));
    }

    @Test
    void aChunkThatIsNoneIsAnErrorAndTheConnectionEnds() {
        String answer = ask("POST /sized HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n");
        assertTrue(answer.startsWith("HTTP/1.1 400 ") && answer.contains("connection: close\r\n"), answer);
        assertFalse(channel.isActive());
    }

    @Test
    void namesMayBeAnyBytes() {
        send("GET /images/");
        channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {(byte) 0xc3, (byte) 0xa4}));
        assertTrue(ask("/json HTTP/1.1\r\nHost: x\r\n\r\n").endsWith("\r\n\r\nä"));
        assertTrue(get("/images/%c3%a4%ff/json").endsWith("\r\n\r\nä\ufffd"));
    }

    @Test
    void theRestOfABodyNobodyWantedHasItsTime() {
        ask("POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
        assertTrue(channel.isActive());
        channel.advanceTimeBy(HttpConnection.HEAD_SECONDS + 1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        channel.runPendingTasks();
        assertFalse(channel.isActive());
    }

    @Test
    void pagesOfOtherOriginsAreToldWhatTheyMayDoWhenSomebodyWantsThat() {
        var headers = new io.netty.handler.codec.http.DefaultHttpHeaders();
        new ApiIdentity("0.1.0", false, "http://example.com").describe(headers);
        assertEquals("http://example.com", headers.get("Access-Control-Allow-Origin"));
        assertEquals("HEAD, GET, POST, DELETE, PUT, OPTIONS", headers.get("Access-Control-Allow-Methods"));
        assertFalse(get("/_ping").contains("Access-Control"));
    }

    @Test
    void aStreamToAnOldClientHasNoChunks() {
        assertTrue(ask("GET /stream HTTP/1.0\r\n\r\n").endsWith("\r\n\r\nonetwo"));
        assertFalse(channel.isActive());
    }

    @Test
    void aStreamIsChunkedAndTheConnectionStays() {
        String answer = get("/stream");
        assertTrue(answer.endsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"), answer);
        assertTrue(get("/_ping").endsWith("OK"));
    }

    @Test
    void aStreamThatFailsBeforeItsFirstByteIsAnErrorLikeAnyOther() {
        String answer = get("/early");
        assertTrue(answer.startsWith("HTTP/1.1 409 Conflict"), answer);
        assertTrue(answer.endsWith("{\"message\":\"not now\"}\n"), answer);
    }

    @Test
    void aStreamThatFailsLaterEndsTheConnectionWithoutALastChunk() {
        assertFalse(get("/late").endsWith("0\r\n\r\n"));
        assertFalse(channel.isActive());
    }

    @Test
    void aBugInAHandlerIsA500AndTheNextRequestWorks() {
        assertTrue(get("/broken").startsWith("HTTP/1.1 500 Internal Server Error"));
        assertTrue(get("/_ping").endsWith("OK"));
    }

    @Test
    void overlongHeadersAndRequestLinesAreRefused() {
        assertTrue(get("/_ping?" + "x".repeat(1_100_000)).startsWith("HTTP/1.1 431 "));
    }

    @Test
    void overlongHeadersAreRefused() {
        String header = "X: " + "x".repeat(1000) + "\r\n";
        assertTrue(ask("GET /_ping HTTP/1.1\r\nHost: x\r\n" + header.repeat(1100) + "\r\n").startsWith("HTTP/1.1 431 "));
    }

    @Test
    void aClientThatNeverEndsItsHeadersIsHungUpOn() {
        send("GET /_ping HTTP/1.1\r\nHo");
        channel.advanceTimeBy(HttpConnection.HEAD_SECONDS + 1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        channel.runPendingTasks();
        assertFalse(channel.isActive());
    }

    @Test
    void anIdleConnectionMayStay() {
        get("/_ping");
        channel.advanceTimeBy(1, TimeUnit.HOURS);
        channel.runScheduledPendingTasks();
        assertTrue(channel.isActive());
    }

    @Test
    void aBodyNobodyReadIsSkipped() {
        assertTrue(ask("POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + "x".repeat(500)).startsWith("HTTP/1.1 204"));
        assertTrue(ask("x".repeat(500) + "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").endsWith("OK"));
    }

    @Test
    void aLongBodyNobodyReadEndsTheConnection() {
        ask("POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
        for (int i = 0; i < 40 && channel.isActive(); i++) ask("x".repeat(10_000));
        assertFalse(channel.isActive());
    }

    @Test
    void aBodyIsAskedForOnlyWhenItIsWanted() {
        String expecting = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        String refused = ask("POST /deaf HTTP/1.1\r\n" + expecting);
        assertFalse(refused.contains("100 Continue"), refused);
        assertTrue(refused.contains("connection: close"), refused);
    }

    @Test
    void otherExpectationsAreNotMet() {
        assertTrue(ask("POST /deaf HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 0\r\n\r\n").startsWith("HTTP/1.1 417 "));
    }

    private String sized(String json) {
        return ask("POST /sized HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + json.getBytes(UTF_8).length
                + "\r\n\r\n" + json);
    }

    @Test
    void jsonMayHaveUnknownFieldsAndNamesInAnyCase() {
        assertTrue(sized("{\"Size\":3,\"name\":\"a\",\"other\":[1]}").endsWith("{\"size\":3,\"name\":\"a\"}\n"));
    }

    @Test
    void jsonThatIsNoneOrDoesNotFitIsTheClientsMistake() {
        for (var each : Map.of(
                "{", "unexpected EOF",
                "{\"size\":\"x\"}", "cannot unmarshal string into field size of type int",
                "{\"size\":1.5}", "cannot unmarshal number into field size of type int",
                "{\"name\":3}", "cannot unmarshal number into field name of type string",
                "{} x", "invalid JSON",
                "", "got EOF while reading request body",
                "null", "null is not an object").entrySet()) {
            String answer = sized(each.getKey());
            assertTrue(answer.startsWith("HTTP/1.1 400 "), each + ": " + answer);
            assertTrue(answer.contains(each.getValue()), each + ": " + answer);
        }
    }

    @Test
    void jsonMustSayThatItIsJson() {
        String answer = ask("POST /sized HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
        assertTrue(answer.contains("{\"message\":\"unsupported Content-Type header (text/plain): must be 'application/json'\"}"), answer);
    }
}
